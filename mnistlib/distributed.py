"""One training in several processes, each with its share of every batch.

``torchrun`` starts the processes and tells each its place; `process_group` lets them join, and a `Learner` made
within it trains in step with the others.  Without torchrun, all of this means one process alone.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import torch
import torch.distributed as dist
from torch import Tensor, nn
from torch.nn.parallel import DistributedDataParallel

from mnistlib.runtime import default_device

__all__ = ["Alone", "Group", "current_group", "process_group"]


class Alone:
    """What a Learner asks of its group, answered for one process: there is nobody to share with.

    Attributes
    ----------
    rank, size : int
        Which process this is, from 0, and of how many.

    Examples
    --------
    >>> Alone().share(torch.zeros(5, 784), torch.zeros(5, 1))[2:]
    (5, 1.0)
    """

    rank, size = 0, 1

    def wrap(self, model: nn.Module) -> nn.Module:
        """Return what to call with a batch, so that ``backward`` leaves the same gradients in all processes."""
        return model

    def share_model(self, model: nn.Module) -> None:
        """Let all processes hold the parameters and buffers of the first."""

    def begin_fit(self, dls: Any, n_epochs: int) -> None:
        """Make sure that all processes are about to do the same."""

    def begin_epoch(self) -> None:
        """Let all processes draw the same random numbers, and so the same order of images."""

    def begin_validation(self, model: nn.Module) -> None:
        """Let all processes judge the same model."""

    def check_batch(self, xb: Tensor, yb: Tensor) -> None:
        """Make sure that all processes hold the same batch before each takes its share."""

    def share(self, xb: Tensor, yb: Tensor) -> tuple[Tensor, Tensor, int, float]:
        """Return this process's part of a batch, how many items it stands for, and the weight of a mean over them."""
        return xb, yb, len(yb), 1.0

    def mean(self, values: Tensor) -> Tensor:
        """Return the mean over the processes."""
        return values

    def explained(self, error: RuntimeError) -> Exception:
        """Return the error to raise for one that stopped a training."""
        return error


class Group(Alone):
    """What a Learner asks of its group, answered by all processes together.

    The processes hold the same model and walk the same batches; each computes with its share of a batch.
    Gradients are averaged, so every process makes the same step.  Shares may differ in size by one item: means are
    weighted by that, and equal those of one process with the whole batch.

    Notes
    -----
    Gradients are averaged by torch's ``DistributedDataParallel`` while ``backward`` is still going on.  The moving
    averages of batch normalization are those of the first process.

    Examples
    --------
    A group of one, which `process_group` would not bother to make:

    >>> import pathlib, tempfile
    >>> meet = pathlib.Path(tempfile.mkdtemp(), "meet").as_uri()
    >>> dist.init_process_group("gloo", init_method=meet, rank=0, world_size=1)
    >>> Group().mean(torch.tensor([2.0, 4.0]))
    tensor([2., 4.])
    >>> dist.destroy_process_group()
    """

    def __init__(self) -> None:
        self.rank, self.size = dist.get_rank(), dist.get_world_size()
        # NCCL moves what lies on a GPU only.
        self.device = torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")

    def wrap(self, model: nn.Module) -> nn.Module:
        return DistributedDataParallel(model)

    def share_model(self, model: nn.Module) -> None:
        for value in (*model.parameters(), *model.buffers()):
            dist.broadcast(value.detach(), 0)

    def begin_fit(self, dls: Any, n_epochs: int) -> None:
        for loader in (dls.train, dls.valid):
            if isinstance(getattr(loader, "sampler", None), torch.utils.data.DistributedSampler):
                raise ValueError(
                    "the loader has a DistributedSampler, which shares out the images already; give the Learner a "
                    "loader of whole batches, the same in every process"
                )
        self._same(
            torch.tensor([n_epochs, len(dls.train), len(dls.valid)], dtype=torch.float64),
            "epochs, training batches and validation batches",
            "start every process with the same script, data and settings",
        )

    def begin_epoch(self) -> None:
        state = torch.get_rng_state().to(self.device)
        dist.broadcast(state, 0)
        torch.set_rng_state(state.cpu())

    def begin_validation(self, model: nn.Module) -> None:
        self.begin_epoch()
        for buffer in model.buffers():
            dist.broadcast(buffer, 0)

    def check_batch(self, xb: Tensor, yb: Tensor) -> None:
        places = torch.arange(1.0, len(yb) + 1, dtype=torch.float64, device=yb.device)  # so that order counts
        sums = torch.stack(
            [places @ values.flatten(1).sum(1, dtype=torch.float64) for values in (xb[:, None], yb[:, None])]
        )
        self._same(sums, "the first batches", "shuffle from one seed in every process: set_seed, or the loader's own")

    def share(self, xb: Tensor, yb: Tensor) -> tuple[Tensor, Tensor, int, float]:
        mine = slice(len(yb) * self.rank // self.size, len(yb) * (self.rank + 1) // self.size)
        n = mine.stop - mine.start
        if n == 0:  # fewer items than processes: take part with one that counts nothing
            mine = slice(0, 1)
        return xb[mine], yb[mine], n, n * self.size / len(yb)

    def mean(self, values: Tensor) -> Tensor:
        values = values.to(self.device, copy=True)
        dist.all_reduce(values)
        return values / self.size

    def explained(self, error: RuntimeError) -> Exception:
        reason = (str(error).strip() or type(error).__name__).splitlines()[0]
        if isinstance(error, dist.DistError) or "gloo" in reason or "Connection closed by peer" in reason:
            return ConnectionError(
                f"process {self.rank} of {self.size} has lost the others: one of them has ended, or cannot be reached "
                f"({reason}). What was learned since the last save is gone; load that and start all of them again"
            )
        return error

    def _same(self, values: Tensor, what: str, advice: str) -> None:
        """Raise ValueError in all processes unless the values are the same in all of them."""
        values = values.to(self.device)
        seen = [torch.empty_like(values) for _ in range(self.size)]
        dist.all_gather(seen, values)
        for rank, other in enumerate(seen):
            if not torch.allclose(other, seen[0], rtol=1e-6, equal_nan=True):
                raise ValueError(
                    f"the processes do not train alike: {what} differ between process 0 ({seen[0].tolist()}) and "
                    f"process {rank} ({other.tolist()}); {advice}"
                )


def current_group() -> Alone:
    """Return the group that this process has joined, or `Alone`.

    Examples
    --------
    >>> current_group().size
    1
    """
    if dist.is_available() and dist.is_initialized() and dist.get_world_size() > 1:
        return Group()
    return Alone()


@contextmanager
def process_group(timeout: float = 300.0) -> Iterator[Alone]:
    """Join the processes that ``torchrun`` started, and leave them at the end; without torchrun, stay alone.

    Where the device is a GPU, the processes speak through NCCL and each takes a GPU of its own; else through gloo.

    Parameters
    ----------
    timeout : float
        For how many seconds a process waits for another before it gives up.

    Raises
    ------
    ValueError
        If a machine has fewer GPUs than processes.
    RuntimeError
        If this build of torch cannot speak to other processes.

    Examples
    --------
    >>> with process_group() as group:
    ...     group.rank, group.size
    (0, 1)
    """
    if int(os.environ.get("WORLD_SIZE", "1")) == 1:
        yield Alone()
        return
    if not dist.is_available():
        raise RuntimeError("this build of torch has no torch.distributed: it can train in one process only")
    backend = "gloo"
    if default_device().type == "mps":
        raise ValueError("several processes cannot share the GPU of a Mac: set MNISTLIB_DEVICE=cpu")
    if default_device().type == "cuda":
        backend, place, gpus = "nccl", int(os.environ["LOCAL_RANK"]), torch.cuda.device_count()
        if place >= gpus:
            raise ValueError(
                f"this machine has {gpus} GPUs, too few for process {place} (from 0): start torchrun with as many "
                "processes as there are GPUs, or set MNISTLIB_DEVICE=cpu"
            )
        torch.cuda.set_device(place)
    dist.init_process_group(backend, timeout=timedelta(seconds=timeout))
    try:
        yield current_group()
    finally:
        dist.destroy_process_group()
