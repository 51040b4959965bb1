"""How well, and how long: every model of the page "All ten digits", trained on all 60,000 images with five seeds.

    OMP_NUM_THREADS=1 python tests/benchmarks/ten_digits.py                 print a table
    OMP_NUM_THREADS=1 python tests/benchmarks/ten_digits.py --save          write it beside this file too, for the page
    python tests/benchmarks/ten_digits.py --only "conv_net"                 one row, on as many threads as torch takes

The settings of the convolutional nets were chosen on images held out of the training set. Here the test images are
looked at once a model, at the end of its training; the page says which models had seen them before. Nothing asserts the
seconds: they are the machine's.
"""

# ruff: noqa: T201
import argparse
import json
import math
import os
import platform
import statistics
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnistlib import (
    SGD,
    Callback,
    DataLoader,
    DataLoaders,
    Digits,
    Learner,
    accuracy,
    conv_net,
    linear,
    mnist,
    set_seed,
    simple_net,
)

HERE = Path(__file__)


class Distort(Callback):
    """Turn, stretch, slant and move each training image a little, so that no image is seen twice."""

    def __init__(self, degrees: float = 8.0, slant: float = 0.15, stretch: float = 0.08, move: float = 0.1) -> None:
        self.degrees, self.slant, self.stretch, self.move = degrees, slant, stretch, move

    def before_batch(self, learn: Learner) -> None:
        if learn.training:
            learn.xb = self.distorted(learn.xb)

    def distorted(self, xb: Tensor) -> Tensor:
        """Return the images, each read off a grid of its own."""

        def draw(limit: float) -> Tensor:
            return (torch.rand(len(xb)) * 2 - 1) * limit

        angle, slant, size = draw(self.degrees * math.pi / 180), draw(self.slant), 1 + draw(self.stretch)
        rows = (
            (size * angle.cos(), slant - angle.sin(), draw(self.move)),
            (angle.sin(), size * angle.cos(), draw(self.move)),
        )
        maps = torch.stack([torch.stack(row, 1) for row in rows], 1).to(xb.device)
        images = xb.view(-1, 1, 28, 28)
        grid = F.affine_grid(maps, list(images.shape), align_corners=False)
        return F.grid_sample(images, grid, align_corners=False).flatten(1)


@dataclass
class Recipe:
    """A model and how it is trained."""

    model: Callable[[], nn.Module]
    epochs: int
    lr: float
    batch_size: int = 256
    modern: bool = False  # AdamW, one cycle, label smoothing; else plain SGD
    distort: bool = False

    def run(self, seed: int, train: Digits, test: Digits) -> tuple[float, float, int]:
        """Return the accuracy on the test images, the seconds of training, and the number of parameters."""
        set_seed(seed)
        dls = DataLoaders(
            DataLoader(train.flat, train.labels, self.batch_size, shuffle=True),
            DataLoader(test.flat[:1], test.labels[:1]),  # a Learner wants to validate; one image tells it nothing
        )
        loss_func: Any = nn.CrossEntropyLoss(label_smoothing=0.1) if self.modern else F.cross_entropy
        opt_func: Any = torch.optim.AdamW if self.modern else SGD
        cbs = [Distort()] if self.distort else []
        learn = Learner(dls, self.model(), loss_func, opt_func, cbs=cbs, verbose=False)
        start = time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()
        (learn.fit_one_cycle if self.modern else learn.fit)(self.epochs, self.lr)
        end = time.process_time() if torch.get_num_threads() == 1 else time.perf_counter()
        parameters = sum(p.numel() for p in learn.model.parameters())
        return accuracy(learn.predict(test.flat), test.labels).item(), end - start, parameters


RECIPES = {
    "linear": Recipe(lambda: linear(n_out=10), epochs=5, lr=0.5),
    "784-30-10": Recipe(lambda: simple_net(n_out=10), epochs=6, lr=0.5, batch_size=128),
    "784-200-10": Recipe(lambda: simple_net(n_hidden=200, n_out=10), epochs=6, lr=0.5, batch_size=128),
    "conv_net": Recipe(lambda: conv_net(n_out=10), epochs=3, lr=0.1, batch_size=128, modern=True),
    "wide conv_net, distorted images": Recipe(
        lambda: conv_net(n_out=10, widths=(16, 32, 64, 128)),
        epochs=6,
        lr=0.1,
        batch_size=128,
        modern=True,
        distort=True,
    ),
}


@dataclass
class Row:
    """What five seeds gave."""

    accuracies: list[float]
    seconds: list[float]
    parameters: int
    epochs: int

    def __str__(self) -> str:
        mean = statistics.mean(self.accuracies)
        spread = statistics.stdev(self.accuracies) if len(self.accuracies) > 1 else math.nan
        low, high = min(self.accuracies), max(self.accuracies)
        return (
            f"{self.epochs:3} epochs  {self.parameters:7,} parameters  test {mean:.2%} +- {spread:.2%} "
            f"({low:.2%} to {high:.2%}, {len(self.accuracies)} seeds)  {statistics.median(self.seconds):6.1f} s"
        )


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--only", choices=RECIPES, action="append", help="a row; may be given several times")
    parser.add_argument("--save", action="store_true", help="write the rows to the file that the page reads")
    options = parser.parse_args()
    train, test = mnist()
    threads = torch.get_num_threads()
    timed = "seconds of one processor" if threads == 1 else f"seconds on {threads} threads"
    print(f"{platform.machine()}, {os.cpu_count()} cores, torch {torch.__version__}; {timed}, training only")
    file = HERE.with_suffix(".json")
    saved = json.loads(file.read_text(encoding="utf-8")) if file.exists() else {}
    for name in options.only or RECIPES:
        recipe = RECIPES[name]
        runs = [recipe.run(seed, train, test) for seed in range(options.seeds)]
        row = Row([round(run[0], 4) for run in runs], [round(run[1], 1) for run in runs], runs[0][2], recipe.epochs)
        print(f"{name:28}{row}", flush=True)
        if options.save:
            saved[name] = asdict(row) | {"threads": threads}
            file.write_text(json.dumps(saved, indent=1) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
