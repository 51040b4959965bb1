"""The optimizer: how parameters move, given their gradients."""

import math
from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

__all__ = ["SGD"]


class SGD:
    """Stochastic gradient descent: move every parameter a little against its gradient.

    The update is ``p -= lr * p.grad``.  Any class of ``torch.optim`` can stand in its place.

    Parameters
    ----------
    params : iterable of Tensor
        What to train; a model's ``parameters()``, for example.
    lr : float
        The learning rate, above 0.

    Attributes
    ----------
    param_groups : list of dict
        One group with keys ``params`` and ``lr``, as torch's optimizers have it; schedules set its ``lr``.

    Raises
    ------
    ValueError
        If there is no parameter, one comes twice, or the learning rate is not above 0.
    TypeError
        If a parameter is not a tensor, or a single tensor is given in place of a list.

    Examples
    --------
    >>> w = torch.tensor(3.0, requires_grad=True)
    >>> opt = SGD([w], lr=0.1)
    >>> (w**2).backward()  # the slope at 3 is 6
    >>> opt.step()
    >>> w.detach()
    tensor(2.4000)
    """

    def __init__(self, params: Iterable[Tensor], lr: float) -> None:
        if isinstance(params, Tensor):
            raise TypeError("params must be a list of tensors; a single one is taken for a list of its rows: [params]")
        params = list(params)  # model.parameters() can be walked once only
        if not params:
            raise ValueError("no parameters to train; was model.parameters() walked already?")
        for p in params:
            if not isinstance(p, Tensor):
                raise TypeError(f"a parameter must be a tensor, not {type(p).__name__}")
        if len({id(p) for p in params}) < len(params):
            raise ValueError("a parameter comes twice in the list: each step would move it twice")
        if not 0 < lr < math.inf:
            raise ValueError(f"the learning rate must be above 0 and finite, not {lr}")
        self.param_groups: list[dict[str, Any]] = [{"params": params, "lr": lr}]

    def step(self) -> None:
        """Move each parameter that has a gradient, in place and unrecorded."""
        for group in self.param_groups:
            with torch.no_grad():
                for p in group["params"]:
                    if p.grad is not None:
                        p.sub_(p.grad, alpha=group["lr"])

    def zero_grad(self) -> None:
        """Forget the gradients: ``backward`` adds to what it finds."""
        for group in self.param_groups:
            for p in group["params"]:
                p.grad = None
