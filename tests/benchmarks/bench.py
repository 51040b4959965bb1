"""How long an epoch takes: fastai's Learner, a plain loop over torch's DataLoader, ours, and a compiled step.

    python tests/benchmarks/bench.py            everything; some minutes, and speed.json beside this file
    python tests/benchmarks/bench.py --quick    one batch size on one thread, three rounds; writes nothing

An epoch trains on all training images, and validates with one metric. The variants take turns within each round, so
that a busy moment of the machine hits them all; what counts are medians and ratios to fastai's in the same round. The
compiled step is a function of this file: model, loss, gradients and update as one graph, which listens to no callback.
Memory is the high-water mark of a process that runs one variant alone (Linux). Nothing asserts the seconds.
"""

# ruff: noqa: T201
import argparse
import datetime
import gc
import json
import math
import multiprocessing
import os
import platform
import statistics
import sys
import time
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.func import functional_call, grad_and_value

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
Epoch = Callable[[], Any]
LR = 0.1


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

    def model(self) -> torch.nn.Module:
        set_seed(0)
        return simple_net(n_out=self.n_out)

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
        task.model(),
        loss_func=task.loss,
        opt_func=FastaiSGD,
        metrics=task.metric,
    )

    def epoch() -> None:
        with learn.no_logging():
            learn.fit(1, lr=LR)

    return epoch


def plain(task: Task) -> Epoch:
    loaders = [
        torch.utils.data.DataLoader(list(zip(*part, strict=True)), task.batch_size, shuffle=i == 0)
        for i, part in enumerate(task.parts)
    ]
    model = task.model()
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

    return epoch


def ours(task: Task) -> Epoch:
    learn = Learner(task.dls(), task.model(), task.loss, SGD, task.metric, device="cpu", verbose=False)
    return lambda: learn.fit(1, lr=LR)


def compiled(task: Task) -> Epoch:
    dls, model = task.dls(), task.model()
    params = {name: p.detach() for name, p in model.named_parameters()}

    def loss(params: dict[str, Tensor], xb: Tensor, yb: Tensor) -> Pair:
        preds = functional_call(model, params, (xb,))
        return task.loss(preds, yb), preds

    @torch.compile(fullgraph=True)
    def step(xb: Tensor, yb: Tensor) -> Tensor:
        grads, (value, _) = grad_and_value(loss, has_aux=True)(params, xb, yb)
        for name, p in params.items():
            p.sub_(grads[name], alpha=LR)
        return value

    @torch.compile(fullgraph=True)
    def judge(xb: Tensor, yb: Tensor) -> Pair:
        value, preds = loss(params, xb, yb)
        return value, task.metric(preds, yb)

    @torch.no_grad()
    def epoch() -> None:
        for xb, yb in dls.train:
            step(xb, yb)
        torch.stack([torch.stack(judge(xb, yb)) for xb, yb in dls.valid]).tolist()

    return epoch


VARIANTS = {"fastai": fastai, "torch": plain, "ours": ours, "compiled": compiled}


def race(task: Task, rounds: int) -> dict[str, dict[str, float]]:
    """Return for each variant the median seconds of an epoch, and how many times faster than fastai's it is."""
    epochs = {name: make(task) for name, make in VARIANTS.items()}
    for epoch in epochs.values():
        epoch()
        epoch()  # a last batch of another size may compile anew
    seconds: dict[str, list[float]] = {name: [] for name in epochs}
    for _ in range(rounds):
        for name, epoch in epochs.items():
            seconds[name].append(seconds_of(epoch))
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


def seconds_of(epoch: Epoch) -> float:
    start = time.perf_counter()
    epoch()
    return time.perf_counter() - start


def resident(what: str) -> float:
    """Return this process's memory in MB: now (``VmRSS``), or at most (``VmHWM``) since `forget_peak`."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(what))) / 1024


def forget_peak() -> None:
    """Let the high-water mark begin again at what is in use now: reading the images needs more than keeping them."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def alone(variant: str, task: str, batch_size: int, n: int | None) -> tuple[float, float, float]:
    """Return the peak in MB, how much of it came on top of images and imports, and the seconds of an epoch."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    data = Task(task, batch_size, n)
    gc.collect()
    forget_peak()
    before = resident("VmRSS")
    epoch = VARIANTS[variant](data)
    epoch()
    epoch()
    seconds = statistics.median(seconds_of(epoch) for _ in range(3))
    return resident("VmHWM"), resident("VmHWM") - before, seconds


def in_a_process(*arguments: Any) -> tuple[float, float, float]:
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(alone, *arguments).result()


def slope(x: list[float], y: list[float]) -> float:
    """Return the slope of log y on log x by least squares: 1 where y grows in proportion to x."""
    return statistics.linear_regression([math.log(v) for v in x], [math.log(v) for v in y]).slope


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run that writes nothing")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")
    record: dict[str, Any] = {
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
        "epochs": [],
    }
    print(", ".join(str(record[key]) for key in ("machine", "python", "torch", "date")))
    if sys.platform == "linux":  # which tells a process its peak, and lets it begin anew
        record["memory"] = {}
        for variant in VARIANTS:
            peak, beyond, _ = in_a_process(variant, "784-30-10", 256, None)
            record["memory"][variant] = {"peak_mb": round(peak), "beyond_data_mb": round(beyond)}
            print(f"memory  {variant:9}{peak:7.0f} MB, {beyond:.0f} MB of it on top of the images", flush=True)
        sizes = [3_000, 12_000] if quick else [3_000, 15_000, 60_000, 240_000]
        grown = [in_a_process("ours", "784-30-10", 256, n) for n in sizes]
        record["growth"] = {
            "images": sizes,
            "seconds": [row[2] for row in grown],
            "beyond_data_mb": [round(row[1]) for row in grown],
            "slope": slope(sizes, [row[2] for row in grown]),
        }
        print("growth ", record["growth"])
    for threads in (1,) if quick else (1, 2):
        torch.set_num_threads(threads)
        for name in ("784-30-1", "784-30-10"):
            for batch_size in (256,) if quick else (64, 256, 1024):
                torch.compiler.reset()
                rows = race(Task(name, batch_size), rounds=3 if quick else 5)
                record["epochs"].append({"task": name, "threads": threads, "batch_size": batch_size, "variants": rows})
                for variant, row in rows.items():
                    print(
                        f"{name:10} batch {batch_size:5} threads {threads}  {variant:9}{1000 * row['seconds']:8.1f} ms"
                        f"  {row['ratio']:5.2f} x fastai ({row['low']:.2f} to {row['high']:.2f})",
                        flush=True,
                    )
    if not quick:
        file = Path(__file__).with_name("speed.json")
        file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
