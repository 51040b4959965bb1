"""What it costs to speak: averaging gradients between two processes on one machine, and an epoch shared by them.

Started by `measure` under torchrun, one time for each number of processes; process 0 prints what it saw as JSON.
"""

import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import torch
import torch.distributed as dist

from mnistlib import (
    SGD,
    DataLoader,
    DataLoaders,
    Learner,
    batch_accuracy,
    mnist_loss,
    mnist_sample,
    set_seed,
    simple_net,
)
from mnistlib.distributed import process_group

SIZES = [1, 1_000, 23_581, 100_000, 1_000_000, 11_000_000]  # numbers to average; 23,581 are simple_net's


def measure(n_processes: int, quick: bool) -> dict[str, Any]:
    """Return the seconds of an epoch for each batch size and, of several processes, of an average by its size."""
    torchrun = ["-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n_processes}"]
    result = subprocess.run(
        [sys.executable, *torchrun, str(Path(__file__)), *(["--quick"] if quick else [])],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    if result.returncode:
        raise RuntimeError(result.stderr)
    return dict(json.loads(result.stdout))


def averages(repeats: int) -> dict[str, float]:
    """Return the median seconds of an all-reduce, by how many float32 it moves."""
    result = {}
    for size in SIZES:
        values = torch.ones(size)
        times = []
        for _ in range(repeats if size < 1_000_000 else max(3, repeats // 10)):
            dist.barrier()
            start = time.perf_counter()
            dist.all_reduce(values)
            times.append(time.perf_counter() - start)
        result[str(size)] = statistics.median(times)
    return result


def epochs(rounds: int) -> dict[str, float]:
    """Return the median seconds of training one epoch of 784-30-1, by batch size."""
    train, valid = mnist_sample()
    result = {}
    for batch_size in (256, 1024, 4096):
        set_seed(0)
        dls = DataLoaders(
            DataLoader(train.flat, train.is_a(3), batch_size, shuffle=True, device="cpu"),
            DataLoader(valid.flat, valid.is_a(3), batch_size, device="cpu"),
        )
        learn = Learner(dls, simple_net(), mnist_loss, SGD, batch_accuracy, device="cpu", verbose=False)
        learn.fit(1, lr=0.1)
        times = []
        for _ in range(rounds):
            start = time.perf_counter()
            learn.fit(1, lr=0.1)
            times.append(time.perf_counter() - start)
        result[str(batch_size)] = statistics.median(times)
    return result


def main() -> None:
    quick = "--quick" in sys.argv
    torch.set_num_threads(1)
    with process_group() as group:
        seen: dict[str, Any] = {"processes": group.size, "epochs": epochs(5 if quick else 15)}
        if group.size > 1:
            seen["averages"] = averages(20 if quick else 100)
        if group.rank == 0:
            print(json.dumps(seen))  # noqa: T201


if __name__ == "__main__":
    main()
