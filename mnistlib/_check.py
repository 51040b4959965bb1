"""Checks of what torch would silently accept: one place, so that every message has the same form."""

from typing import Any

from torch import Tensor

__all__ = ["are_tensors", "same_shape"]


def are_tensors(where: str, *values: Any) -> None:
    """Raise TypeError unless all values are tensors.

    Without this, readers of lists and NumPy arrays meet errors about attributes that they never asked for.
    """
    if not all(isinstance(value, Tensor) for value in values):
        seen = " and ".join(type(value).__name__ for value in values)
        raise TypeError(f"{where} needs tensors, not {seen}; torch.as_tensor makes one of a list or an array")


def same_shape(preds: Tensor, targets: Tensor, where: str) -> None:
    """Raise unless both are tensors of one shape; the message says how to make them so.

    Arithmetic on shapes such as ``[N, 1]`` and ``[N]`` broadcasts to ``[N, N]``: every prediction is
    compared with every target, and training learns nothing while it looks busy.
    """
    are_tensors(where, preds, targets)
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
