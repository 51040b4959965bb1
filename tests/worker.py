"""One of the processes of tests/test_distributed.py: trains a little, and may be killed while it does.

python tests/worker.py FOLDER ITEMS BATCH_SIZE [FAULT]

The fault is "killed", of the last process in its second epoch, or "order", each process's own.
"""

import json
import os
import signal
import sys
from pathlib import Path

import torch

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
from mnistlib.learner import Callback, Checkpoint


class Killed(Callback):
    """End this process in its second epoch, without a word."""

    def after_backward(self, learn):
        if learn.epoch == 1:
            os.kill(os.getpid(), signal.SIGKILL)


def main() -> None:
    folder, n, batch_size, *fault = sys.argv[1:]
    torch.set_num_threads(1)
    with process_group(timeout=60) as group:
        torch.manual_seed(group.rank)  # what differs between processes must not matter
        train, valid = mnist_sample()
        every = len(train) // int(n)  # threes and sevens
        x, y = train.flat[::every][: int(n)], train.is_a(3)[::every][: int(n)]
        dls = DataLoaders(
            DataLoader(
                x, y, int(batch_size), shuffle=True, device="cpu", seed=group.rank if "order" in fault else None
            ),
            DataLoader(valid.flat, valid.is_a(3), int(batch_size), device="cpu"),
        )
        if group.rank == 0:
            set_seed(0)  # the others take the first one's weights and order
        cbs = [Checkpoint(Path(folder, "last.safetensors"))]
        if "killed" in fault and group.rank == group.size - 1:
            cbs.append(Killed())
        learn = Learner(dls, simple_net(), mnist_loss, SGD, batch_accuracy, cbs=cbs, device="cpu")
        learn.lr_find(n=6)  # puts everything back, in all processes
        learn.fit(3, lr=0.5)
        learn.save(Path(folder, "end.safetensors"))
        numbers = {"values": learn.recorder.values, "losses": learn.recorder.losses}
        Path(folder, f"numbers-{group.rank}.json").write_text(json.dumps(numbers), encoding="utf-8")


if __name__ == "__main__":
    main()
