"""Losses: how wrong predictions are, as one number that gradients can flow back from."""

import torch
from torch import Tensor

from mnistlib._check import same_shape

__all__ = ["mnist_loss", "mse"]


def mse(preds: Tensor, targets: Tensor) -> Tensor:
    """Return the mean squared error.

    Parameters
    ----------
    preds, targets : Tensor
        Floating point, of one shape.

    Returns
    -------
    Tensor
        A scalar, 0 or more, in the square of the targets' unit.

    Raises
    ------
    TypeError
        If these are no tensors, or the predictions are integers.
    ValueError
        If the shapes differ.

    Examples
    --------
    >>> mse(torch.tensor([1.0, 2.0]), torch.tensor([1.0, 4.0]))
    tensor(2.)
    """
    same_shape(preds, targets, "mse")
    if not preds.is_floating_point():
        raise TypeError(f"mse needs floating-point predictions, not {preds.dtype}; .float() converts them")
    return ((preds - targets) ** 2).mean()


def mnist_loss(preds: Tensor, targets: Tensor) -> Tensor:
    """Return the mean distance of the sigmoid of the predictions from their targets.

    Parameters
    ----------
    preds : Tensor
        Raw scores of any size, floating point; above 0 means class 1.
    targets : Tensor
        1 or 0, of the shape of the predictions.

    Returns
    -------
    Tensor
        A scalar between 0 (every answer right and sure) and 1 (every answer wrong and sure); NaN if a target
        is neither 1 nor 0, which stops a Learner.

    Raises
    ------
    ValueError
        If the shapes differ.

    Examples
    --------
    Scores whose sigmoids are 0.9, 0.4 and 0.2, for targets 1, 0 and 1, are off by 0.1, 0.4 and 0.8:

    >>> scores = torch.tensor([0.9, 0.4, 0.2]).logit()
    >>> print(f"{mnist_loss(scores, torch.tensor([1, 0, 1])):.4f}")
    0.4333
    """
    same_shape(preds, targets, "mnist_loss")
    probabilities = preds.sigmoid()
    # Not an error but NaN for any other target: to raise one, the values would have to be read off the device.
    return torch.where(targets == 1, 1 - probabilities, torch.where(targets == 0, probabilities, torch.nan)).mean()
