"""The Learner: a training loop that announces what it does, and callbacks that listen.

The loop itself is short.  Everything else (recording, the table of epochs, schedules) hears its
events: see `Callback` for their names and order.
"""

import errno
import math
import os
import sys
import time
import warnings
import zipfile
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager, ExitStack, nullcontext
from numbers import Real
from pathlib import Path
from typing import Any, NamedTuple, Protocol

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor, nn
from tqdm import tqdm

from mnistlib._files import whole_file
from mnistlib.compiled import CompiledStep
from mnistlib.distributed import current_group
from mnistlib.metrics import RunningMean
from mnistlib.optimizer import SGD
from mnistlib.runtime import default_device

__all__ = [
    "Callback",
    "Checkpoint",
    "Learner",
    "LearningRates",
    "Loaders",
    "OneCycle",
    "ProgressTable",
    "Recorder",
    "StopFitError",
]

Batches = Iterable[tuple[Tensor, Tensor]]
Function = Callable[[Tensor, Tensor], Tensor]


class Loaders(Protocol):
    """What a Learner needs of its data: a pair of sized iterables of batches.

    Examples
    --------
    >>> from types import SimpleNamespace
    >>> batches = [(torch.zeros(2, 3), torch.zeros(2, 1))]
    >>> learn = Learner(SimpleNamespace(train=batches, valid=batches), nn.Linear(3, 1), nn.MSELoss(), verbose=False)
    >>> learn.fit(1, lr=0.1)
    >>> len(learn.recorder.values)
    1
    """

    @property
    def train(self) -> Any:
        """Batches ``(xb, yb)`` to learn from."""

    @property
    def valid(self) -> Any:
        """Batches ``(xb, yb)`` to judge by."""


class StopFitError(Exception):
    """Raise it in a callback to end the training early; `Learner.fit` then returns as if it were done.

    Of several processes, all must raise it at the same event, or the others wait in vain: decide by what all of them
    know, which is the recorder's numbers.

    Examples
    --------
    >>> from mnistlib import DataLoaders
    >>> class OneEpoch(Callback):
    ...     def after_epoch(self, learn):
    ...         raise StopFitError
    >>> batches = [(torch.zeros(2, 3), torch.zeros(2, 1))]
    >>> learn = Learner(DataLoaders(batches, batches), nn.Linear(3, 1), nn.MSELoss(), cbs=OneEpoch(), verbose=False)
    >>> learn.fit(10, lr=0.1)
    >>> len(learn.recorder.values)
    1
    """


class Callback:
    """Something that listens while a Learner trains; override the events you care for.

    In the order in which they happen::

        before_fit
            before_epoch
                before_train
                    before_batch  after_pred  after_loss  after_backward  after_step  after_batch
                after_train
                before_validate
                    before_batch  after_pred  after_loss  after_batch
                after_validate
            after_epoch
        after_fit

    Each event is a method that takes the Learner, whose attributes tell what is going on: ``epoch``,
    ``n_epochs``, ``batch``, ``n_batches``, ``training``, ``xb``, ``yb``, ``preds``, ``loss``, ``opt``, ``recorder``.
    ``after_fit`` happens however the training ends, to whom ``before_fit`` has happened.

    Give ``xb`` and ``yb`` new tensors, as in ``learn.xb = learn.xb + noise``, rather than change them in place: they
    may be slices of the data set.  What ``after_loss`` makes of ``loss`` is what is learned from, and what is recorded.

    Examples
    --------
    >>> class CountBatches(Callback):
    ...     n = 0
    ...
    ...     def after_step(self, learn):
    ...         self.n += 1
    """

    def before_fit(self, learn: "Learner") -> None: ...
    def before_epoch(self, learn: "Learner") -> None: ...
    def before_train(self, learn: "Learner") -> None: ...
    def before_batch(self, learn: "Learner") -> None: ...
    def after_pred(self, learn: "Learner") -> None: ...
    def after_loss(self, learn: "Learner") -> None: ...
    def after_backward(self, learn: "Learner") -> None: ...
    def after_step(self, learn: "Learner") -> None: ...
    def after_batch(self, learn: "Learner") -> None: ...
    def after_train(self, learn: "Learner") -> None: ...
    def before_validate(self, learn: "Learner") -> None: ...
    def after_validate(self, learn: "Learner") -> None: ...
    def after_epoch(self, learn: "Learner") -> None: ...
    def after_fit(self, learn: "Learner") -> None: ...


class _SmoothLoss:
    """A moving average of losses: each moves it a fiftieth of the way.

    It starts at 0, which dividing by ``1 - 0.98**n`` after n losses makes up for.  fastai prints the same
    average as ``train_loss``.
    """

    def __init__(self) -> None:
        self._sum, self._count = torch.tensor(0.0), 0

    def add(self, loss: Tensor) -> float:
        """Take in a loss, a scalar on the CPU, and return the average so far."""
        self._count += 1
        self._sum = torch.lerp(loss.float(), self._sum, 0.98)
        return (self._sum / (1 - 0.98**self._count)).item()


class Recorder(Callback):
    """Keep what happened: losses and learning rates a batch, losses and metrics an epoch.

    Nothing is read back from the device before an epoch's training is over.

    Attributes
    ----------
    names : list of str
        ``train_loss``, ``valid_loss`` and the metrics' names.
    values : list of list of float
        For each epoch a value for each name.
    seconds : list of float
        How long each epoch took.
    losses : list of float
        The loss of every training batch.
    smooth_losses : list of float
        The same, as a moving average that goes on across epochs, as fastai's does; its last value in an epoch is
        that epoch's ``train_loss``.
    lrs : list of float
        The learning rate of every training batch.

    Examples
    --------
    >>> from mnistlib import DataLoaders
    >>> batches = [(torch.ones(2, 3), torch.ones(2, 1))] * 4
    >>> learn = Learner(DataLoaders(batches, batches), nn.Linear(3, 1), nn.MSELoss(), verbose=False)
    >>> learn.fit(2, lr=0.1)
    >>> learn.recorder.names, len(learn.recorder.losses), len(learn.recorder["valid_loss"])
    (['train_loss', 'valid_loss'], 8, 2)
    """

    def __init__(self) -> None:
        self._clear([])

    def _clear(self, names: list[str]) -> None:
        self.names = names
        self.values: list[list[float]] = []
        self.seconds: list[float] = []
        self.losses: list[float] = []
        self.smooth_losses: list[float] = []
        self.lrs: list[float] = []
        self._waiting: list[Tensor] = []
        self._average = _SmoothLoss()

    def before_fit(self, learn: "Learner") -> None:
        self._clear(["train_loss", "valid_loss", *learn.metric_names])

    def before_epoch(self, learn: "Learner") -> None:
        self._start = time.perf_counter()

    def after_backward(self, learn: "Learner") -> None:
        self._waiting.append(learn.loss.detach())
        self.lrs.append(learning_rate(learn.opt))

    def after_train(self, learn: "Learner") -> None:
        if self._waiting:
            self._waiting = list(learn.group.mean(torch.stack(self._waiting)))
        self._collect(learn.epoch)

    def after_epoch(self, learn: "Learner") -> None:
        train_loss = self.smooth_losses[-1] if self.smooth_losses else math.nan
        self.values.append([train_loss, *learn.final_values])
        self.seconds.append(time.perf_counter() - self._start)

    def after_fit(self, learn: "Learner") -> None:
        self._collect(learn.epoch)  # what an interrupted epoch left

    def _collect(self, epoch: int) -> None:
        """Read the waiting losses from the device, all at once."""
        if not self._waiting:
            return
        losses = torch.stack(self._waiting).cpu()
        self._waiting = []
        finite = torch.isfinite(losses)
        for loss in losses:
            self.losses.append(loss.item())
            self.smooth_losses.append(self._average.add(loss))
        if not finite.all():
            batch = int((~finite).nonzero()[0])
            raise FloatingPointError(
                f"the loss became {losses[batch].item()} at epoch {epoch}, batch {batch} (both counted from 0): the "
                "parameters are spoiled from there on; start again from fresh ones with a smaller learning rate, "
                "and look for NaN or infinity in the inputs and for targets that the loss does not know"
            )

    def __getitem__(self, name: str) -> list[float]:
        """Return the values of one name, an epoch each.

        Raises
        ------
        KeyError
            If nothing of that name was recorded.
        """
        if name not in self.names:
            raise KeyError(f"{name!r} was not recorded; there are {self.names}")
        at = self.names.index(name)
        return [row[at] for row in self.values]


class ProgressTable(Callback):
    """Print a row an epoch; in a terminal also a progress bar, and the seconds that each epoch took.

    The seconds stay out of notebooks and files, so that the same run prints the same text.

    Examples
    --------
    >>> from mnistlib import DataLoaders
    >>> batches = [(torch.ones(2, 3), torch.zeros(2, 1))]
    >>> model = nn.Linear(3, 1, bias=False)
    >>> _ = nn.init.zeros_(model.weight)  # and right from the start
    >>> Learner(DataLoaders(batches, batches), model, nn.MSELoss()).fit(1, lr=0.1)
    epoch  train_loss  valid_loss
        0    0.000000    0.000000
    """

    def before_fit(self, learn: "Learner") -> None:
        self._timed = sys.stdout.isatty()
        names = ["epoch", *learn.recorder.names, *(["seconds"] if self._timed else [])]
        self._widths = [max(len(name), 5 if name == "epoch" else 8) for name in names]
        self._print(names)
        total = learn.n_epochs * learn.n_batches
        self._bar = tqdm(total=total, unit="batch", leave=False, disable=None)  # None: only in a terminal

    def after_step(self, learn: "Learner") -> None:
        self._bar.update()

    def after_epoch(self, learn: "Learner") -> None:
        row = [f"{value:.6f}" for value in learn.recorder.values[-1]]
        seconds = [f"{learn.recorder.seconds[-1]:.2f}"] if self._timed else []
        self._bar.clear()
        self._print([str(learn.epoch), *row, *seconds])
        self._bar.refresh()

    def after_fit(self, learn: "Learner") -> None:
        self._bar.close()

    def _print(self, cells: list[str]) -> None:
        print("  ".join(cell.rjust(width) for cell, width in zip(cells, self._widths, strict=True)))


class Checkpoint(Callback):
    """Save the model's weights after every epoch, so that what ends early need not begin again.

    Parameters
    ----------
    file : path
        As for `Learner.save`; each epoch replaces it whole.

    Examples
    --------
    >>> import tempfile
    >>> from mnistlib import DataLoaders
    >>> batches = [(torch.ones(2, 3), torch.ones(2, 1))]
    >>> file = Path(tempfile.mkdtemp(), "last.safetensors")
    >>> learn = Learner(DataLoaders(batches, batches), nn.Linear(3, 1), nn.MSELoss(), verbose=False)
    >>> learn.fit(2, lr=0.1, cbs=Checkpoint(file))
    >>> learn.load(file)
    """

    def __init__(self, file: str | os.PathLike[str]) -> None:
        self.file = Path(file)

    def after_epoch(self, learn: "Learner") -> None:
        learn.save(self.file)


class OneCycle(Callback):
    """Raise the learning rate from low to ``lr_max``, then lower it to almost nothing, along two half cosines.

    Where the optimizer has momentum, that moves the other way round, and is what it was when the training is over.

    Parameters
    ----------
    lr_max : float
        The highest learning rate.
    pct_start : float
        The share of all batches on the way up, between 0 and 1.
    div, div_final : float
        How much lower than ``lr_max`` the first and the last learning rate are.
    moms : tuple of three floats
        Momentum at the start, at the top and at the end.

    Notes
    -----
    After L. N. Smith, "Super-convergence" (2018); shape and defaults are those of fastai's ``fit_one_cycle``.
    """

    def __init__(
        self,
        lr_max: float,
        pct_start: float = 0.25,
        div: float = 25.0,
        div_final: float = 1e5,
        moms: tuple[float, float, float] = (0.95, 0.85, 0.95),
    ) -> None:
        if not 0 < pct_start < 1:
            raise ValueError(f"pct_start must lie between 0 and 1, not {pct_start}")
        self.lrs = (lr_max / div, lr_max, lr_max / div_final)
        self.pct_start, self.moms = pct_start, moms

    def before_fit(self, learn: "Learner") -> None:
        self._usual_mom = momentum(learn.opt)

    def before_batch(self, learn: "Learner") -> None:
        if learn.training:
            done = (learn.epoch * learn.n_batches + learn.batch) / (learn.n_epochs * learn.n_batches)
            set_hyper(learn.opt, lr=self.at(done, self.lrs), mom=self.at(done, self.moms))

    def after_fit(self, learn: "Learner") -> None:
        set_hyper(learn.opt, learning_rate(learn.opt), self._usual_mom)

    def at(self, done: float, values: tuple[float, float, float]) -> float:
        """Return the value when a share ``done`` (0 to 1) of all batches is over.

        >>> cycle = OneCycle(lr_max=1.0)
        >>> [round(cycle.at(done, cycle.lrs), 3) for done in (0, 0.125, 0.25, 0.625, 1)]
        [0.04, 0.52, 1.0, 0.5, 0.0]
        """
        start, top, end = values
        if done < self.pct_start:
            return half_cosine(start, top, done / self.pct_start)
        return half_cosine(top, end, (done - self.pct_start) / (1 - self.pct_start))


def half_cosine(start: float, end: float, done: float) -> float:
    """Go from ``start`` to ``end`` along half a cosine: slowly, quickly, slowly."""
    return start + (1 + math.cos(math.pi * (1 - done))) * (end - start) / 2


def learning_rate(opt: Any) -> float:
    """Return the learning rate of an optimizer's last group."""
    hypers = getattr(opt, "hypers", None) or opt.param_groups  # fastai's optimizers, everybody else's
    return float(hypers[-1]["lr"])


def momentum(opt: Any) -> float | None:
    """Return the momentum of an optimizer's last group; None where it has none."""
    if hasattr(opt, "hypers"):
        return opt.hypers[-1].get("mom")
    group = opt.param_groups[-1]
    return group["betas"][0] if "betas" in group else group.get("momentum")


def set_hyper(opt: Any, lr: float, mom: float | None = None) -> None:
    """Set the learning rate, and the momentum where there is one, of our, torch's or fastai's optimizer."""
    if hasattr(opt, "set_hyper"):  # fastai keeps its settings behind this method
        opt.set_hyper("lr", lr)
        if mom is not None and "mom" in opt.hypers[-1]:
            opt.set_hyper("mom", mom)
        return
    for group in opt.param_groups:
        group["lr"] = lr
        if mom is not None and "betas" in group:
            group["betas"] = (mom, *group["betas"][1:])
        elif mom is not None and group.get("momentum"):
            group["momentum"] = mom


class LearningRates(NamedTuple):
    """What `Learner.lr_find` tried and saw: ``lrs``, smoothed ``losses``, and a ``suggestion``.

    Examples
    --------
    >>> found = LearningRates(lrs=[0.01, 0.1, 1.0], losses=[0.5, 0.3, 0.9], suggestion=0.1)
    >>> found.suggestion
    0.1
    """

    lrs: list[float]
    losses: list[float]
    suggestion: float


class _RangeTest(Callback):
    """Raise the learning rate batch by batch until the loss blows up."""

    def __init__(self, start: float, end: float, n: int) -> None:
        self.start, self.end, self.n = start, end, n
        self.lrs: list[float] = []
        self.losses: list[float] = []
        self._average = _SmoothLoss()

    def before_batch(self, learn: "Learner") -> None:
        if learn.training:
            set_hyper(learn.opt, self.start * (self.end / self.start) ** (len(self.lrs) / (self.n - 1)))

    def after_loss(self, learn: "Learner") -> None:
        if not learn.training:
            return
        self.lrs.append(learning_rate(learn.opt))
        smooth = self._average.add(learn.group.mean(learn.loss.detach()).cpu())
        if not math.isfinite(smooth):
            self.lrs.pop()
            raise StopFitError
        self.losses.append(smooth)
        if len(self.lrs) == self.n or smooth > 4 * min(self.losses):
            raise StopFitError


class Learner:
    """A model, the data it learns from, and how: everything that training needs, in one object.

    Parameters
    ----------
    dls : DataLoaders
        Its ``train`` and ``valid`` give batches ``(xb, yb)``; ours, torch's and fastai's loaders all do.
    model : nn.Module
        Moved to the device.
    loss_func : callable
        ``loss_func(preds, yb)`` gives a scalar tensor; the mean over the batch.
    opt_func : callable
        ``opt_func(params, lr=...)`` gives an optimizer; `SGD`, or a class of ``torch.optim``, or fastai's.
    metrics : sequence of callables
        Each ``metric(preds, yb)`` gives one number; averaged over the validation images.
    cbs : sequence of Callback
        Listeners besides the `Recorder` and the table of epochs, called after these two, in this order.
    device : str or torch.device, optional
        Without it: where the training batches live.
    verbose : bool
        Print the table of epochs.
    compile : bool
        Let ``torch.compile`` make one function of model, loss and gradients: faster for small models, the same
        numbers but for rounding, some seconds of compiling first.  ``after_pred`` and ``after_loss`` then come when
        the gradients are there already, so what they change in ``preds`` and ``loss`` changes no step.  A parameter
        that the loss does not depend on gets gradients of 0 rather than none, and so follows weight decay.  Where
        nothing can be compiled, a warning says so, and training goes on without.
    autocast : bool
        Compute matrix products and convolutions in bfloat16, half as wide as float32, with two to three digits in
        place of seven: faster on devices made for it, and many times slower on processors that must imitate it.
        The parameters stay as they are.

    Raises
    ------
    ValueError
        If a loader is empty, the model has nothing to train, or ``compile`` is asked for in several processes.
    TypeError
        If the model, a function or a callback cannot be used as one.

    Examples
    --------
    >>> from mnistlib.data import mnist_sample
    >>> from mnistlib.loader import DataLoader, DataLoaders
    >>> from mnistlib.losses import mnist_loss
    >>> from mnistlib.metrics import batch_accuracy
    >>> from mnistlib.models import linear
    >>> from mnistlib.runtime import set_seed
    >>> set_seed(0)
    >>> train, valid = mnist_sample()
    >>> dls = DataLoaders(
    ...     DataLoader(train.flat, train.is_a(3), batch_size=256, shuffle=True),
    ...     DataLoader(valid.flat, valid.is_a(3), batch_size=256),
    ... )
    >>> learn = Learner(dls, linear(), mnist_loss, metrics=[batch_accuracy], verbose=False)
    >>> learn.fit(5, lr=1.0)
    >>> learn.recorder["batch_accuracy"][-1] > 0.97
    True
    """

    def __init__(
        self,
        dls: Loaders,
        model: nn.Module,
        loss_func: Function,
        opt_func: Callable[..., Any] = SGD,
        metrics: Function | Sequence[Function] = (),
        cbs: Callback | Sequence[Callback] = (),
        *,
        device: str | torch.device | None = None,
        verbose: bool = True,
        compile: bool = False,  # noqa: A002  the field's name for it
        autocast: bool = False,
    ) -> None:
        self.metrics = [metrics] if callable(metrics) else list(metrics)
        for metric in self.metrics:
            _check_function("a metric", metric)
        _check_function("loss_func", loss_func)
        if not isinstance(model, nn.Module):
            raise TypeError(f"the model must be an nn.Module, not {model!r}; a class needs its brackets ()")
        if not callable(opt_func):
            raise TypeError(
                f"opt_func must make an optimizer when it is called, as SGD does; {opt_func!r} is one already"
            )
        if not (hasattr(dls, "train") and hasattr(dls, "valid")):
            raise TypeError(f"dls must have a train and a valid loader, as DataLoaders has; {_kind(dls)} has none")
        for name, loader in (("training", dls.train), ("validation", dls.valid)):
            if len(loader) == 0:
                raise ValueError(f"the {name} loader is empty: it gives no batch")
        self.params = [p for p in model.parameters() if p.requires_grad]
        if not self.params:
            raise ValueError("the model has no parameter that requires a gradient: there is nothing to train")
        if device is None:
            device = getattr(dls.train, "device", None) or default_device()
        self.device = torch.device(device)
        self.dls, self.model = dls, model.to(self.device)
        self._model = self.model  # the one that everything else here was made for
        self.loss_func, self.opt_func = loss_func, opt_func
        self.group = current_group()
        self.group.share_model(self.model)
        if compile and self.group.size > 1:
            raise ValueError("compile=True is for one process; several share their gradients while they compute them")
        self.compiled = CompiledStep(model, loss_func, wide_loss=autocast) if compile else None
        self.autocast = autocast
        self.forward: nn.Module = model  # or what wraps it
        self.recorder = Recorder()
        self.cbs: list[Callback] = [self.recorder, *([ProgressTable()] if verbose and self.group.rank == 0 else [])]
        self.cbs += _listeners(cbs)
        self.opt: Any = None
        self.epoch = self.n_epochs = self.batch = self.n_batches = 0
        self.training = False
        self.final_values: list[float] = []

    @property
    def metric_names(self) -> list[str]:
        """The names of the metric functions."""
        return [_name(metric) for metric in self.metrics]

    # -- training ------------------------------------------------------------------------------

    def fit(self, n_epochs: int, lr: float, cbs: Callback | Sequence[Callback] = ()) -> None:
        """Train for some epochs and validate after each.

        A second call goes on with the same parameters and the same optimizer.  Interrupting it
        (Ctrl-C) leaves model and recorder as they are after the last whole step.

        Parameters
        ----------
        n_epochs : int
            How often to go through the training data, 1 or more.
        lr : float
            The learning rate, above 0; of all parameter groups, where the optimizer has several.
        cbs : sequence of Callback
            Listeners for this call only.

        Raises
        ------
        ValueError
            If an argument is out of range, or the loss is not a scalar.
        FloatingPointError
            If the loss stops being finite; said at the end of that epoch.
        """
        self._check_fit(n_epochs, lr)
        self._follow_changes()
        if self.opt is None:
            self.opt = self.opt_func(self.params, lr=lr)
        set_hyper(self.opt, lr)
        self.opt.zero_grad()  # what an interrupted step may have left
        self.n_epochs, self.n_batches = n_epochs, len(self.dls.train)
        self.group.begin_fit(self.dls, n_epochs)
        if self.forward is self.model:
            self.forward = self.group.wrap(self.model)
        usual, self.cbs = self.cbs, [*self.cbs, *_listeners(cbs)]
        ready: list[Callback] = []
        try:
            self.epoch = 0
            for cb in self.cbs:
                cb.before_fit(self)
                ready.append(cb)
            for self.epoch in range(n_epochs):
                self._tell("before_epoch")
                self._train_epoch()
                self.final_values = self.validate()
                self._tell("after_epoch")
        except StopFitError:
            pass
        except RuntimeError as error:
            if (explained := self.group.explained(error)) is not error:
                raise explained from error
            raise
        finally:
            self.training = False
            with ExitStack() as ending:  # which does the last first, and all of it whatever fails
                ending.callback(setattr, self, "cbs", usual)
                for cb in reversed(ready):
                    ending.callback(cb.after_fit, self)

    def _check_fit(self, n_epochs: int, lr: float) -> None:
        if n_epochs < 1:
            raise ValueError(f"n_epochs must be 1 or more, not {n_epochs}")
        if not (lr > 0 and math.isfinite(lr)):
            raise ValueError(f"the learning rate must be a finite number above 0, not {lr}")
        if current_group().size != self.group.size:
            raise ValueError(
                "a Learner trains in the group that it was made in: make it within `with process_group():`"
            )

    def _follow_changes(self) -> None:
        """Follow what happened since: parameters frozen or freed, another model, another loss."""
        another = self.model is not self._model
        if another:
            self._model = self.model.to(self.device)
            self.group.share_model(self.model)
        params = [p for p in self.model.parameters() if p.requires_grad]
        if not params:
            raise ValueError("the model has no parameter that requires a gradient: there is nothing to train")
        if [id(p) for p in params] != [id(p) for p in self.params]:
            another = True
            self.params, self.opt = params, None
        if another:
            self.forward = self.model
        if self.compiled is not None and (another or self.compiled.loss_func is not self.loss_func):
            self.compiled = CompiledStep(self.model, self.loss_func, wide_loss=self.autocast)

    def fit_one_cycle(self, n_epochs: int, lr_max: float, **cycle: Any) -> None:
        """Train with a learning rate that rises to ``lr_max`` and falls again.

        Parameters
        ----------
        n_epochs : int
            As for `fit`.
        lr_max : float
            The highest learning rate.
        **cycle
            Further settings of `OneCycle`.
        """
        self.fit(n_epochs, lr_max, cbs=[OneCycle(lr_max, **cycle)])

    def _train_epoch(self) -> None:
        self.model.train()
        self.training = True
        self.group.begin_epoch()
        self._tell("before_train")
        for self.batch, batch in enumerate(self.dls.train):
            self._take(batch)
            self._find_gradients()
            self._tell("after_backward")
            self.opt.step()
            self._tell("after_step")
            self.opt.zero_grad()
            self._tell("after_batch")
        self._tell("after_train")
        self.training = False

    def validate(self) -> list[float]:
        """Return the loss and the metrics over the validation set, in the order of the recorder's names."""
        if self.training:  # a callback asks in the midst of an epoch, which then goes on as it was
            now = {k: v for k, v in vars(self).items() if k in {"batch", "xb", "yb", "preds", "loss", "_weight"}}
            self.training = False
            values = self.validate()
            self.training = True
            self.model.train()
            vars(self).update(now)
            return values
        means = [RunningMean() for _ in [self.loss_func, *self.metrics]]
        self.model.eval()
        self.group.begin_validation(self.model)
        self._tell("before_validate")
        with torch.no_grad():
            for self.batch, batch in enumerate(self.dls.valid):
                n = self._take(batch)
                self._predict(self.model)
                for mean, value in zip(means, [self.loss, *map(self._measure, self.metrics)], strict=True):
                    mean.add(value, n)
                self._tell("after_batch")
        self._tell("after_validate")
        return [self._over_processes(mean).item() for mean in means]

    def _take(self, batch: Any) -> int:
        """Bring this process's share of a batch to the device; return how many items it stands for."""
        if not isinstance(batch, (tuple, list)) or len(batch) != 2:
            raise TypeError(f"a loader must give pairs (xb, yb) of inputs and targets, not {_kind(batch)}")
        xb, yb = batch
        if self.batch == 0:
            self.group.check_batch(xb, yb)
        xb, yb, n, self._weight = self.group.share(xb, yb)
        self.xb, self.yb = xb.to(self.device), yb.to(self.device)
        self._tell("before_batch")
        return n

    def _find_gradients(self) -> None:
        """Predict, compute the loss, and from it the gradients: in one compiled piece, or step by step."""
        if self.compiled is not None and (self.epoch, self.batch) != (0, 0):  # the first tells what is wrong
            with self._precision():
                done = self.compiled(self.xb, self.yb)
            if done is not None:
                self.preds, self.loss = done
                self._tell("after_pred")
                self._tell("after_loss")
                return
        self._predict(self.forward)
        self.loss.backward()

    def _predict(self, forward: Callable[[Tensor], Tensor]) -> None:
        """Predict, and compute the loss."""
        with self._precision():
            self.preds = self._scores(forward, self.xb)
            if self.autocast:  # a loss over many items needs more digits than bfloat16 has
                self.preds = self.preds.float()
            self._tell("after_pred")
            self.loss = self._loss_of(self.preds, self.yb)
        if not isinstance(self.loss, Tensor):
            raise TypeError(f"loss_func must give a tensor with one number, not {type(self.loss).__name__}")
        if self.loss.ndim != 0:
            raise ValueError(
                f"loss_func must give one number for the batch, not a tensor of shape {list(self.loss.shape)}; "
                "take its mean()"
            )
        if self.batch == 0:
            _warn_of_broadcasting(self.preds, self.yb)
        if self.training:
            if not self.loss.requires_grad:
                raise ValueError(
                    "the loss has no gradient: a comparison, argmax, item() or detach() on the way to it cuts it off "
                    "from the parameters; accuracy, for one, is a metric and no loss"
                )
            if self._weight != 1:  # shares of different sizes
                self.loss = self.loss * self._weight
        self._tell("after_loss")

    def _over_processes(self, mean: RunningMean) -> Tensor:
        """Return the mean over the items of all processes, some of which may have had none."""
        if self.group.size == 1:
            return mean.value
        both = torch.stack([torch.as_tensor(mean.total).cpu(), torch.tensor(float(mean.count))])
        total, count = self.group.mean(both)
        return total / count

    def _precision(self) -> AbstractContextManager[Any]:
        if self.autocast:
            return torch.autocast(self.device.type, torch.bfloat16)
        return nullcontext()

    def _scores(self, forward: Callable[[Tensor], Tensor], xb: Tensor) -> Tensor:
        """Return what the model makes of a batch; where torch's error would puzzle, say what is wrong."""
        try:
            return forward(xb)
        except (RuntimeError, ValueError) as error:
            if advice := _advice(error, xb, self.params[0].dtype):
                seen = f"the model cannot take a batch of shape {list(xb.shape)} and {xb.dtype}"
                raise ValueError(f"{seen}: {advice}") from error
            raise

    def _loss_of(self, preds: Tensor, yb: Tensor) -> Tensor:
        """Return the loss; where torch's error would puzzle, say what is wrong."""
        try:
            return self.loss_func(preds, yb)
        except (RuntimeError, ValueError, IndexError) as error:
            if advice := _loss_advice(error, preds, yb):
                raise ValueError(f"{_name(self.loss_func)} failed ({error}): {advice}") from error
            raise

    def _measure(self, metric: Function) -> Tensor:
        value = metric(self.preds, self.yb)
        if isinstance(value, Real):  # NumPy's numbers too
            return torch.tensor(float(value))
        if not isinstance(value, Tensor) or value.ndim != 0:
            seen = f"a tensor of shape {list(value.shape)}" if isinstance(value, Tensor) else type(value).__name__
            raise TypeError(f"the metric {_name(metric)} must give one number for the batch, not {seen}")
        return value

    def _tell(self, event: str) -> None:
        for cb in self.cbs:
            getattr(cb, event)(self)

    # -- finding a learning rate ---------------------------------------------------------------

    def lr_find(self, start: float = 1e-7, end: float = 10.0, n: int = 100) -> LearningRates:
        """Try growing learning rates on a mock training, then put the model back as it was.

        The Learner's callbacks do not hear of it: what they would change, it does not see.

        Parameters
        ----------
        start, end : float
            The first and last learning rate tried.
        n : int
            How many steps lie between them; fewer are made if the loss blows up.

        Returns
        -------
        LearningRates
            ``suggestion`` is a tenth of the learning rate at which the loss was lowest.
        """
        if not (0 < start < end) or n < 2:
            raise ValueError(f"lr_find needs 0 < start < end and n of 2 or more, not {start}, {end}, {n}")
        self._follow_changes()
        state = {name: value.clone() for name, value in self.model.state_dict().items()}
        usual, opt, random = self.cbs, self.opt, torch.get_rng_state()
        seeded = [g for loader in (self.dls.train, self.dls.valid) if (g := getattr(loader, "generator", None))]
        orders = [generator.get_state() for generator in seeded]
        test = _RangeTest(start, end, n)
        try:
            self.cbs, self.opt = [test], None
            self.fit(n // len(self.dls.train) + 1, lr=start)
        finally:
            self.cbs, self.opt = usual, opt
            self.model.load_state_dict(state)
            torch.set_rng_state(random)
            for generator, order in zip(seeded, orders, strict=True):
                generator.set_state(order)
        if not test.losses:
            raise FloatingPointError(
                "the loss is not finite from the first batch on; look for NaN or infinity in the data"
            )
        lowest = min(range(len(test.losses)), key=test.losses.__getitem__)
        return LearningRates(test.lrs, test.losses, test.lrs[lowest] / 10)

    # -- using, keeping, describing --------------------------------------------------------------

    def predict(self, x: Tensor, batch_size: int = 1024) -> Tensor:
        """Return the model's raw scores for inputs ``[N, ...]``, on the CPU.

        Parameters
        ----------
        x : Tensor
            Inputs as the model takes them, N at least 1.
        batch_size : int
            How many go through the model at once.
        """
        if not isinstance(x, Tensor):
            raise TypeError(f"predict needs a tensor of inputs, not {_kind(x)}; torch.as_tensor makes one of an array")
        was_training = self.model.training
        self.model.eval()
        try:
            with torch.no_grad(), self._precision():
                scores = torch.cat([self._scores(self.model, xb.to(self.device)).cpu() for xb in x.split(batch_size)])
        finally:
            self.model.train(was_training)
        return scores.float() if self.autocast else scores

    def save(self, file: str | os.PathLike[str]) -> Path:
        """Write the model's weights as safetensors; the file appears whole or not at all.

        Parameters
        ----------
        file : path
            Its folder must exist.

        Returns
        -------
        Path
            The file.

        Notes
        -----
        Of several processes the first one writes; the others return at once.
        """
        file = Path(file)
        if self.group.rank != 0:
            return file
        # Each its own copy, since safetensors refuses weights that share their memory.
        state = {
            name: value.detach().cpu().clone(memory_format=torch.contiguous_format)
            for name, value in self.model.state_dict().items()
        }
        with whole_file(file) as unfinished:
            unfinished.write_bytes(save(state))
        return file

    def load(self, file: str | os.PathLike[str]) -> None:
        """Read weights that `save` wrote, all of them or none.

        Raises
        ------
        FileNotFoundError
            If there is no such file.
        ValueError
            If the file is damaged, or holds the weights of another architecture; the message lists what differs.
        """
        if Path(file).is_dir():
            raise IsADirectoryError(errno.EISDIR, "this is a folder; name a file in it", str(file))
        try:
            state = load_file(file, device="cpu")
        except SafetensorError as error:
            advice = "; files of torch.save are not read, since they can run code" if zipfile.is_zipfile(file) else ""
            raise ValueError(f"{file}: not a whole safetensors file ({error}){advice}") from error
        own = {name: list(value.shape) for name, value in self.model.state_dict().items()}
        found = {name: list(value.shape) for name, value in state.items()}
        if own != found:
            names = sorted(name for name in own.keys() | found.keys() if own.get(name) != found.get(name))
            differ = "; ".join(f"{n}: model {own.get(n, 'none')}, file {found.get(n, 'none')}" for n in names[:5])
            raise ValueError(f"{file}: the weights are not this model's ({differ})")
        self.model.load_state_dict(state)

    def summary(self) -> str:
        """Return a table of the model's layers: what each gives for one batch, and its number of parameters."""
        rows: list[tuple[str, str, str]] = []

        def note(layer: nn.Module, _: Any, output: Any) -> None:
            n = sum(p.numel() for p in layer.parameters())
            shape = str(list(output.shape)) if isinstance(output, Tensor) else _kind(output)
            rows.append((type(layer).__name__, shape, f"{n:,}"))

        layers = [m for m in self.model.modules() if not list(m.children())]
        hooks = [layer.register_forward_hook(note) for layer in layers]
        try:
            xb = next(iter(self.dls.valid))[0]
            self.predict(xb, batch_size=len(xb))
        finally:
            for hook in hooks:
                hook.remove()
        total = sum(p.numel() for p in self.model.parameters())
        rows = [("layer", "output", "parameters"), *rows, ("total", "", f"{total:,}")]
        widths = [max(len(row[i]) for row in rows) for i in range(3)]
        return "\n".join(
            f"{name.ljust(widths[0])}  {shape.ljust(widths[1])}  {n.rjust(widths[2])}" for name, shape, n in rows
        )


def _kind(thing: Any) -> str:
    """Say in a few words what something is that should have been something else."""
    if isinstance(thing, (tuple, list)):
        return f"a {type(thing).__name__} of {len(thing)}"
    return type(thing).__name__


def _name(function: Any) -> str:
    """Return the name of a function, of what ``functools.partial`` made of one, or of an object's class."""
    function = getattr(function, "func", function)
    return str(getattr(function, "__name__", type(function).__name__))


def _check_function(name: str, function: Any) -> None:
    """Raise TypeError for what is no function of predictions and targets, a layer's class among them."""
    if not callable(function):
        raise TypeError(f"{name} must be a function of predictions and targets, not {function!r}")
    if isinstance(function, type):
        raise TypeError(f"{name} must be a function, not a class; {function.__name__} needs its brackets ()")


def _advice(error: Exception, xb: Tensor, dtype: torch.dtype) -> str:
    """Return the likely fix for an error of a model; nothing where the error speaks for itself."""
    if "more than 1 value per channel" in str(error):
        return "batch normalization needs two items or more; drop_last=True leaves out a last batch of one"
    if xb.dtype != dtype and "dtype" in str(error):
        return f"its parameters are {dtype}; convert the inputs with .to({dtype})" + (
            " and divide by 255" if xb.dtype == torch.uint8 else ""
        )
    if (
        xb.ndim > 2
        and xb[:1].numel() == 28 * 28
        and ("cannot be multiplied" in str(error) or "unflatten" in str(error))
    ):
        return "it takes images as rows of 784 pixels; flatten(1) makes them"
    return ""


def _loss_advice(error: Exception, preds: Tensor, yb: Tensor) -> str:
    """Return the likely fix for an error of a loss of torch's; nothing where the error speaks for itself."""
    if "out of bounds" in str(error) and preds.ndim == 2:
        k = preds.shape[1]
        return f"the model gives {k} score{'s' * (k != 1)} an item, so targets must lie in 0 to {k - 1}"
    if "multi-target not supported" in str(error):
        return f"targets must have shape [N], not {list(yb.shape)}; squeeze(1) takes the column away"
    if preds.is_floating_point() and not yb.is_floating_point() and "can't be cast" in str(error):
        return f"the targets are {yb.dtype}; .float() converts them"
    return ""


def _warn_of_broadcasting(preds: Any, yb: Tensor) -> None:
    """Warn where a loss or metric of the reader's own may compare every prediction with every target."""
    n = len(yb)
    if n > 1 and yb.shape == (n,) and isinstance(preds, Tensor) and preds.shape == (n, 1):
        warnings.warn(
            f"predictions have shape [{n}, 1] and targets [{n}]: arithmetic between them makes [{n}, {n}]; make the "
            "targets a column with unsqueeze(1)",
            stacklevel=5,
        )


def _listeners(cbs: Callback | Sequence[Callback]) -> list[Callback]:
    listeners = [cbs] if isinstance(cbs, Callback) else list(cbs)
    for cb in listeners:
        if not isinstance(cb, Callback):
            raise TypeError(f"a callback must be an instance of Callback, not {cb!r}; a class needs its brackets ()")
    return listeners
