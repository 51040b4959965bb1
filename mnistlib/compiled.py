"""A training step as one compiled function: predictions, loss and gradients without a stop between them.

What a step costs beyond its arithmetic is the walk from one small operation to the next.  ``torch.compile``
turns the whole walk into a few loops of machine code.
"""

from __future__ import annotations  # torch cannot trace those of a function within a function

import types
import warnings
from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.func import functional_call, grad_and_value

__all__ = ["CompiledStep"]

Tensors = dict[str, Tensor]
# Older versions of torch check everything.
CHECKS_CAN_BE_CHOSEN = hasattr(torch.compiler, "keep_tensor_guards_unsafe")


class CompiledStep:
    """Predictions, loss and gradients of a model, compiled when they are first asked for.

    Compiling takes some seconds, once for each shape of a batch; torch keeps the result on disk.  The numbers are
    those of the plain step but for rounding; layers that draw random numbers draw other ones, and parameters that the
    loss does not depend on get gradients of 0 rather than none.

    Parameters
    ----------
    model : nn.Module
        Its parameters may be changed in place between steps, by any optimizer.
    loss_func : callable
        ``loss_func(preds, yb)`` gives a scalar tensor.
    wide_loss : bool
        Hand the predictions to the loss in float32, whatever they were computed in.

    Notes
    -----
    Before a compiled function runs, torch checks that all it depended on when it was compiled is as it was; for a
    small network that takes a fifth of the time of a step.  Here the tensors are checked, the shape of the batch, and
    which layers are training.  Other settings of model and loss, such as the share of a dropout, stay those of the
    first step.

    Examples
    --------
    >>> model = nn.Linear(2, 1)
    >>> step = CompiledStep(model, nn.MSELoss())
    >>> answer = step(torch.ones(4, 2), torch.ones(4, 1))  # None where nothing can be compiled, and a warning
    >>> answer is None or model.weight.grad.shape == (1, 2)
    True
    """

    def __init__(
        self, model: nn.Module, loss_func: Callable[[Tensor, Tensor], Tensor], wide_loss: bool = False
    ) -> None:
        self.model, self.loss_func, self.wide_loss = model, loss_func, wide_loss
        self.params: Tensors = {name: p for name, p in model.named_parameters() if p.requires_grad}
        self.works = True
        self._compiled: dict[tuple[Any, ...], Callable[..., Any]] = {}

    def __call__(self, xb: Tensor, yb: Tensor) -> tuple[Tensor, Tensor] | None:
        """Set the gradients of the parameters, and return predictions and loss.

        Where nothing can be compiled, warn once and return None from then on: no C++ compiler, an operation
        that torch cannot trace, an error in the model or the loss.
        """
        if not self.works:
            return None
        buffers: Tensors = dict(self.model.named_buffers())
        case = (xb.shape, yb.shape, *[module.training for module in self.model.modules()])
        try:
            if case not in self._compiled:
                self._compiled[case] = torch.compile(
                    _own(self._step),
                    fullgraph=True,  # or say that it is none
                    dynamic=False,
                    options={"guard_filter_fn": _tensors_only} if CHECKS_CAN_BE_CHOSEN else None,
                )
            with torch.no_grad():
                grads, preds, loss, changed = self._compiled[case](self.params, buffers, xb, yb)
        except Exception as error:  # noqa: BLE001  torch's own kinds of error differ between its versions
            self.works = False
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            warnings.warn(f"compile=True has no effect: torch.compile failed ({reason})", RuntimeWarning, stacklevel=2)
            return None
        for name, p in self.params.items():
            p.grad = grads[name]
        for name, value in changed.items():
            buffers[name].copy_(value)
        return preds, loss

    def _step(
        self, params: Tensors, buffers: Tensors, xb: Tensor, yb: Tensor
    ) -> tuple[Tensors, Tensor, Tensor, Tensors]:
        def loss_of(params: Tensors) -> tuple[Tensor, tuple[Tensor, Tensors]]:
            # Layers such as batch normalization change their buffers: copies, since the originals must stay untraced.
            changed = {name: value.clone() for name, value in buffers.items()}
            preds = functional_call(self.model, {**params, **changed}, (xb,))
            if self.wide_loss:
                preds = preds.float()
            return self.loss_func(preds, yb), (preds, changed)

        grads, (loss, (preds, changed)) = grad_and_value(loss_of, has_aux=True)(params)
        return grads, preds, loss, changed


def _tensors_only(checks: Any) -> list[bool]:
    """Say which of torch's checks are to be made: those of tensors' dtypes, shapes and devices."""
    return [check.guard_type == "TENSOR_MATCH" for check in checks]


def _own(method: Any) -> Any:
    """Return the method with code of its own: torch counts by code how often it compiles, and gives up after eight."""
    function = method.__func__
    copy = types.FunctionType(
        function.__code__.replace(),
        function.__globals__,
        function.__name__,
        function.__defaults__,
        function.__closure__,
    )
    return types.MethodType(copy, method.__self__)
