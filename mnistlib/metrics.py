"""Metrics: how good predictions are, as a number for people."""

import torch
from torch import Tensor

from mnistlib._check import are_tensors, same_shape

__all__ = ["RunningMean", "accuracy", "batch_accuracy"]


def accuracy(preds: Tensor, targets: Tensor) -> Tensor:
    """Return the share of items whose largest score stands at the target's class.

    Parameters
    ----------
    preds : Tensor
        Shape ``[N, K]``: a score for each of K classes.
    targets : Tensor
        Integers 0 to K-1, shape ``[N]``.

    Returns
    -------
    Tensor
        A scalar from 0 to 1.

    Raises
    ------
    ValueError
        If the shapes are others than these, or there is only one class to choose from.

    Examples
    --------
    >>> accuracy(torch.tensor([[0.1, 2.0], [3.0, 0.0]]), torch.tensor([1, 1]))
    tensor(0.5000)
    """
    are_tensors("accuracy", preds, targets)
    if preds.ndim != 2 or targets.shape != preds.shape[:1]:
        raise ValueError(
            f"accuracy needs predictions [N, K] and targets [N], not {list(preds.shape)} and {list(targets.shape)}"
        )
    if preds.shape[1] == 1:
        raise ValueError("accuracy compares scores of two or more classes; for one score an item use batch_accuracy")
    return (preds.argmax(1) == targets).float().mean()


def batch_accuracy(preds: Tensor, targets: Tensor) -> Tensor:
    """Return the share of items whose score is on the target's side of 0.

    A score above 0 has a sigmoid above 0.5 and answers 1; any other answers 0.

    Parameters
    ----------
    preds : Tensor
        Raw scores, floating point.
    targets : Tensor
        1 or 0, of the shape of the predictions.

    Returns
    -------
    Tensor
        A scalar from 0 to 1; NaN if a target is neither 1 nor 0.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> batch_accuracy(torch.tensor([[4.0], [-2.0], [1.0]]), torch.tensor([[1], [0], [0]]))
    tensor(0.6667)
    """
    same_shape(preds, targets, "batch_accuracy")
    right = ((preds > 0) == (targets == 1)).float()
    return torch.where((targets == 0) | (targets == 1), right, torch.nan).mean()


class RunningMean:
    """The mean of values that arrive batch by batch, each counted as often as its batch has items.

    The sum stays on the values' device, so that adding never waits for it.

    Examples
    --------
    A batch of 3 items at 1.0 and one of 1 item at 0.0: three items in four are right.

    >>> mean = RunningMean()
    >>> mean.add(torch.tensor(1.0), 3)
    >>> mean.add(torch.tensor(0.0), 1)
    >>> mean.value
    tensor(0.7500)
    """

    def __init__(self) -> None:
        self.total: Tensor | float = 0.0
        self.count = 0

    def add(self, value: Tensor | float, n: int) -> None:
        """Add a mean over ``n`` items."""
        if isinstance(value, Tensor):  # a sum needs more digits than half precision has
            value = value.detach().to(torch.promote_types(value.dtype, torch.float32))
        self.total = self.total + value * n
        self.count += n

    @property
    def value(self) -> Tensor:
        """The mean so far, a scalar tensor.

        Raises
        ------
        ValueError
            If nothing was added.
        """
        if self.count == 0:
            raise ValueError("the mean of no items: was the loader empty?")
        return torch.as_tensor(self.total / self.count)
