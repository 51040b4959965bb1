"""Where things run, and from which random numbers: the two choices that every run shares."""

import os
import random

import numpy as np
import torch

__all__ = ["default_device", "set_seed"]


def default_device() -> torch.device:
    """Return the device to compute on: the first of CUDA, Apple's MPS and the CPU that is there.

    The environment variable ``MNISTLIB_DEVICE`` overrides the choice.

    Raises
    ------
    ValueError
        If the variable names no device that torch knows.

    Examples
    --------
    >>> default_device().type in {"cuda", "mps", "cpu"}
    True
    """
    named = os.environ.get("MNISTLIB_DEVICE")
    if named:
        try:
            return torch.device(named)
        except RuntimeError as error:
            raise ValueError(f"MNISTLIB_DEVICE is {named!r}, but torch knows no such device; try 'cpu'") from error
    if torch.cuda.is_available():
        return torch.device("cuda")
    if torch.backends.mps.is_available():
        return torch.device("mps")
    return torch.device("cpu")


def set_seed(seed: int) -> None:
    """Start the random numbers of torch, NumPy and Python from one seed.

    The same seed on the same machine gives the same weights, the same order of batches, and so the
    same trained model.

    Parameters
    ----------
    seed : int
        From 0 to 2**32 - 1.

    Examples
    --------
    >>> set_seed(0)
    >>> first = torch.randn(3)
    >>> set_seed(0)
    >>> torch.equal(first, torch.randn(3))
    True
    """
    random.seed(seed)
    np.random.seed(seed)
    torch.manual_seed(seed)
