"""How long an epoch takes: fastai's Learner, a loop over torch's DataLoader, ours, ours compiled, by hand, and in C.

An epoch trains on all training images, and validates with one metric. The variants take turns within each round, so
that a busy moment of the machine hits them all; what counts are medians, and ratios to fastai's in the same round.
"""

import ctypes
import math
import shutil
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnistlib import (
    SGD,
    DataLoader,
    DataLoaders,
    Learner,
    accuracy,
    batch_accuracy,
    mnist,
    mnist_loss,
    mnist_sample,
    set_seed,
    simple_net,
)

Pair = tuple[Tensor, Tensor]
LR = 0.1


class Epoch(NamedTuple):
    """A function that trains for an epoch, and the tensors that it changes: w1, b1, w2, b2 of one shape or another."""

    run: Callable[[], Any]
    params: list[Tensor]


def repeated(part: Pair, n: int) -> Pair:
    chosen = torch.arange(n) % len(part[0])
    return part[0][chosen], part[1][chosen]


class Task:
    """Images, a model with its loss and metric, and a batch size."""

    def __init__(self, name: str, batch_size: int, n: int | None = None) -> None:
        self.name, self.batch_size = name, batch_size
        if name == "784-30-1":
            self.parts = [(part.flat, part.is_a(3)) for part in mnist_sample()]
            self.n_out, self.loss, self.metric = 1, mnist_loss, batch_accuracy
        else:
            self.parts = [(part.flat, part.labels) for part in mnist()]
            self.n_out, self.loss, self.metric = 10, F.cross_entropy, accuracy
        if n is not None:  # as many images as are wanted, the same ones again where they run out
            self.parts = [repeated(part, k) for part, k in zip(self.parts, (n, n // 6), strict=True)]

    def model(self) -> nn.Module:
        set_seed(0)
        return simple_net(n_out=self.n_out)

    def usual_model(self) -> nn.Module:
        """Return the same with torch's own layers, as users of other libraries write it."""
        usual = nn.Sequential(nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, self.n_out))
        usual.load_state_dict(self.model().state_dict())
        return usual

    def dls(self) -> DataLoaders:
        train, valid = self.parts
        return DataLoaders(
            DataLoader(*train, self.batch_size, shuffle=True, device="cpu"),
            DataLoader(*valid, self.batch_size, device="cpu"),
        )


def fastai(task: Task) -> Epoch:
    from fastai.data.core import DataLoaders as FastaiDataLoaders
    from fastai.data.load import DataLoader as FastaiDataLoader
    from fastai.learner import Learner as FastaiLearner
    from fastai.optimizer import SGD as FastaiSGD

    loaders = [
        FastaiDataLoader(list(zip(*part, strict=True)), bs=task.batch_size, shuffle=i == 0)
        for i, part in enumerate(task.parts)
    ]
    learn = FastaiLearner(
        FastaiDataLoaders(*loaders, device="cpu"),
        task.usual_model(),
        loss_func=task.loss,
        opt_func=FastaiSGD,
        metrics=task.metric,
    )

    def epoch() -> None:
        with learn.no_logging():
            learn.fit(1, lr=LR)

    return Epoch(epoch, list(learn.model.parameters()))


def plain(task: Task) -> Epoch:
    loaders = [
        torch.utils.data.DataLoader(list(zip(*part, strict=True)), task.batch_size, shuffle=i == 0)
        for i, part in enumerate(task.parts)
    ]
    model = task.usual_model()
    opt = torch.optim.SGD(model.parameters(), lr=LR)

    def epoch() -> None:
        for xb, yb in loaders[0]:
            task.loss(model(xb), yb).backward()
            opt.step()
            opt.zero_grad()
        with torch.no_grad():
            for xb, yb in loaders[1]:
                preds = model(xb)
                task.loss(preds, yb).item(), task.metric(preds, yb).item()

    return Epoch(epoch, list(model.parameters()))


def ours(task: Task, compile: bool = False) -> Epoch:  # noqa: A002  the Learner's name for it
    learn = Learner(task.dls(), task.model(), task.loss, SGD, task.metric, device="cpu", verbose=False, compile=compile)
    return Epoch(lambda: learn.fit(1, lr=LR), list(learn.model.parameters()))


def compiled(task: Task) -> Epoch:
    return ours(task, compile=True)


def by_hand(task: Task) -> Epoch | None:
    """Return the 784-30-1 epoch with gradients written out, buffers that are used again, and no autograd."""
    if task.name != "784-30-1":
        return None
    (x, y), (x_valid, y_valid) = ((x, y.float().view(1, -1)) for x, y in task.parts)
    w1, b1, w2, b2 = (p.detach().clone() for p in task.model().parameters())
    b1 = b1.unsqueeze(1)
    xb, hidden, w2_slopes = torch.empty(task.batch_size, 784), torch.empty(30, task.batch_size), torch.empty_like(w2)

    def forward(xb: Tensor, hidden: Tensor) -> Tensor:
        torch.addmm(b1, w1, xb.t(), out=hidden).clamp_(min=0)
        return torch.addmm(b2, w2, hidden)

    def step(chosen: Tensor) -> Tensor:
        n = len(chosen)
        rows, units, targets = xb[:n], hidden[:, :n], y[:, chosen]
        torch.index_select(x, 0, chosen, out=rows)
        p = forward(rows, units).sigmoid_()
        slopes = torch.where(targets == 1, -LR / n, LR / n) * p * (1 - p)  # of the loss, times the learning rate
        back = (w2.t() @ slopes).mul_(units > 0)
        torch.mm(slopes, units.t(), out=w2_slopes)
        w1.addmm_(back, rows, alpha=-1)
        b1.sub_(back.sum(1, keepdim=True))
        w2.sub_(w2_slopes)
        b2.sub_(slopes.sum())
        return (targets - p).abs_().mean()

    @torch.no_grad()
    def epoch() -> None:
        losses = [step(chosen) for chosen in torch.randperm(len(x)).split(task.batch_size)]
        judged = [
            torch.stack([(yb - scores.sigmoid()).abs().mean(), ((scores > 0) == (yb == 1)).float().mean()])
            for rows, yb in zip(x_valid.split(task.batch_size), y_valid.split(task.batch_size, 1), strict=True)
            for scores in [forward(rows, hidden[:, : len(rows)])]
        ]
        torch.stack(losses).tolist(), torch.stack(judged).tolist()

    return Epoch(epoch, [w1, b1, w2, b2])


def in_c(task: Task) -> Epoch | None:
    """Return the 784-30-1 epoch as floor.c does it, on one thread; None without a C compiler."""
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    if task.name != "784-30-1" or compiler is None or torch.get_num_threads() > 1 or task.batch_size > 1024:
        return None
    folder = tempfile.mkdtemp()
    library, source = Path(folder, "floor.so"), Path(__file__).with_name("floor.c")
    flags = ["-O3", "-march=native", "-ffast-math", "-shared", "-fPIC"]
    subprocess.run([compiler, *flags, "-o", str(library), str(source), "-lm"], check=True)
    c = ctypes.CDLL(str(library))

    w1, b1, w2, b2 = (p.detach() for p in task.model().parameters())
    net = torch.zeros(784 * 32 + 32 + 32 + 1)
    net[: 784 * 32].view(784, 32)[:, :30] = w1.t()
    net[784 * 32 :][:30] = b1
    net[785 * 32 :][:30] = w2[0]
    net[-1] = b2.item()
    train, valid = ((x.contiguous(), y.float().flatten().contiguous()) for x, y in task.parts)
    in_order = torch.arange(len(valid[0]))

    def of(*tensors: Tensor) -> list[ctypes.c_void_p]:
        return [ctypes.c_void_p(t.data_ptr()) for t in tensors]

    def epoch() -> None:
        order = torch.randperm(len(train[0]))
        c.train(*of(net, *train, order), len(order), task.batch_size, ctypes.c_float(LR))
        c.right(*of(net, *valid, in_order), len(in_order), task.batch_size)

    return Epoch(epoch, [net[: 784 * 32].view(784, 32)[:, :30].t(), *net[784 * 32 :].split([32, 32, 1])])


VARIANTS: dict[str, Callable[[Task], Epoch | None]] = {
    "fastai": fastai,
    "torch": plain,
    "ours": ours,
    "compiled": compiled,
    "by hand": by_hand,
    "C": in_c,
}


def race(task: Task, rounds: int) -> dict[str, dict[str, float]]:
    """Return for each variant the median seconds of an epoch, and how many times faster than fastai's it is."""
    epochs = {name: epoch for name, make in VARIANTS.items() if (epoch := make(task)) is not None}
    for epoch in epochs.values():
        epoch.run()
        epoch.run()  # a last batch of another size may compile anew
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(rounds):
        for name, epoch in epochs.items():
            seconds[name].append(seconds_of(epoch.run))
    result = {}
    for name, times in seconds.items():
        ratios = [a / b for a, b in zip(seconds["fastai"], times, strict=True)]
        result[name] = {
            "seconds": statistics.median(times),
            "ratio": statistics.median(ratios),
            "low": min(ratios),
            "high": max(ratios),
        }
    return result


def seconds_of(run: Callable[[], Any]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def slope(x: list[float], y: list[float]) -> float:
    """Return the slope of log y on log x by least squares: 1 where y grows in proportion to x."""
    return statistics.linear_regression([math.log(v) for v in x], [math.log(v) for v in y]).slope
