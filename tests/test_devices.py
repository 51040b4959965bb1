"""Nothing of a training step stays on another device or waits for a number; ``meta`` stands in for an accelerator.

Tensors on ``meta`` have shapes and no values: whatever mixes them with the CPU, or reads a number, raises.
"""

import pytest
import torch
import torch.nn.functional as F
from torch.utils._python_dispatch import TorchDispatchMode

from mnistlib.learner import Callback, Learner
from mnistlib.loader import DataLoader
from mnistlib.losses import mnist_loss, mse
from mnistlib.metrics import RunningMean, accuracy, batch_accuracy
from mnistlib.models import conv_net, linear, simple_net
from mnistlib.optimizer import SGD

BINARY = (1, torch.zeros(7, 1), batch_accuracy)
DIGITS = (10, torch.zeros(7, dtype=torch.int64), accuracy)


@pytest.mark.parametrize("make", [linear, simple_net, conv_net])
@pytest.mark.parametrize(
    ("loss_func", "n_out", "targets", "metric"),
    [(mse, *BINARY), (mnist_loss, *BINARY), (F.cross_entropy, *DIGITS)],
)
@pytest.mark.parametrize("shuffle", [False, True])
def test_a_step_stays_on_its_device(make, loss_func, n_out, targets, metric, shuffle):
    model = make(n_out=n_out).to("meta")
    opt = SGD(model.parameters(), lr=0.1)
    mean = RunningMean()
    for xb, yb in DataLoader(torch.zeros(7, 784), targets, batch_size=4, shuffle=shuffle, device="meta"):
        preds = model(xb)
        loss = loss_func(preds, yb)
        loss.backward()
        opt.step()
        opt.zero_grad()
        mean.add(metric(preds, yb), len(yb))
    assert {t.device.type for t in (xb, yb, loss, mean.value, *model.parameters())} == {"meta"}


def test_a_step_that_reads_a_number_would_be_seen():
    with pytest.raises((RuntimeError, NotImplementedError)):
        mse(torch.zeros(2, 1, device="meta"), torch.zeros(2, 1, device="meta")).item()


class Reads(TorchDispatchMode):
    """Count the numbers that are read off a device: each makes an accelerator wait."""

    count = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        self.count += function is torch.ops.aten._local_scalar_dense.default
        return function(*args, **(kwargs or {}))


class AtTheEnd(Callback):
    """Note the count when an epoch's last training batch, and its last validation batch, are done."""

    def __init__(self, reads):
        self.reads, self.counts = reads, {}

    def before_train(self, learn):
        self.begun = self.reads.count

    before_validate = before_train

    def after_batch(self, learn):
        self.counts[learn.training] = self.reads.count - self.begun


@pytest.mark.parametrize("opt_func", [SGD, torch.optim.SGD])
def test_no_batch_reads_a_number(make_dls, opt_func):
    with Reads() as reads:
        note = AtTheEnd(reads)
        Learner(make_dls(), simple_net(), mnist_loss, opt_func, batch_accuracy, cbs=note, verbose=False).fit(2, lr=0.1)
    assert note.counts == {True: 0, False: 0}
    assert reads.count > 0, "the epoch's numbers are read at its end"
