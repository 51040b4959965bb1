"""Checks of what torch would silently accept: one place, so that every message has the same form."""

from torch import Tensor

__all__ = ["same_shape"]


def same_shape(preds: Tensor, targets: Tensor, where: str) -> None:
    """Raise ValueError unless both shapes are equal; the message says how to make them so.

    Arithmetic on shapes such as ``[N, 1]`` and ``[N]`` broadcasts to ``[N, N]``: every prediction is
    compared with every target, and training learns nothing while it looks busy.
    """
    if preds.shape == targets.shape:
        return
    seen = f"{where} needs predictions and targets of one shape, not {list(preds.shape)} and {list(targets.shape)}"
    if preds.ndim == 2 and preds.shape[1] == 1 and targets.shape == preds.shape[:1]:
        advice = "; make the targets a column with targets.unsqueeze(1)"
    elif targets.ndim == 2 and targets.shape[1] == 1 and preds.shape == targets.shape[:1]:
        advice = "; make the predictions a column with preds.unsqueeze(1)"
    else:
        advice = ""
    raise ValueError(seen + advice)
