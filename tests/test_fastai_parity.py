"""Equal initial weights and batches: our Learner and fastai's end with the same bits."""

from functools import partial

import pytest
import torch

fastai_learner = pytest.importorskip("fastai.learner", reason="fastai is not installed (pip install mnistlib[book])")
from fastai.callback.schedule import ParamScheduler  # noqa: E402, F401 - adds fit_one_cycle to fastai's Learner
from fastai.data.core import DataLoaders as FastaiDataLoaders  # noqa: E402
from fastai.data.load import DataLoader as FastaiDataLoader  # noqa: E402
from fastai.optimizer import SGD as FastaiSGD  # noqa: E402
from fastai.optimizer import Adam as FastaiAdam  # noqa: E402
from fastai.optimizer import OptimWrapper  # noqa: E402

from mnistlib.learner import Callback, Learner  # noqa: E402
from mnistlib.losses import mnist_loss  # noqa: E402
from mnistlib.metrics import batch_accuracy  # noqa: E402
from mnistlib.models import linear, simple_net  # noqa: E402
from mnistlib.optimizer import SGD  # noqa: E402
from mnistlib.runtime import set_seed  # noqa: E402

EPOCHS = 10
MODELS = [(linear, 1.0), (simple_net, 0.1)]


def trained_by_us(dls, make, lr, opt_func=SGD, epochs=EPOCHS):
    set_seed(0)
    learn = Learner(dls, make(), mnist_loss, opt_func, metrics=[batch_accuracy], verbose=False, device="cpu")
    learn.fit(epochs, lr=lr)
    return list(learn.model.parameters()), learn.recorder.values


def trained_by_fastai(dls, make, lr, opt_func=FastaiSGD, epochs=EPOCHS):
    set_seed(0)
    if not isinstance(dls, FastaiDataLoaders):
        dls = FastaiDataLoaders(dls.train, dls.valid)
    learn = fastai_learner.Learner(dls, make(), loss_func=mnist_loss, opt_func=opt_func, metrics=batch_accuracy)
    with learn.no_logging():
        learn.fit(epochs, lr=lr)
    return list(learn.model.parameters()), [list(row) for row in learn.recorder.values]


def assert_equal(ours, theirs):
    for a, b in zip(ours[0], theirs[0], strict=True):
        assert torch.equal(a, b)
    assert ours[1] == theirs[1], "train loss, valid loss and metric of every epoch"


@pytest.mark.parametrize(("make", "lr"), MODELS)
def test_the_two_learners_end_with_the_same_bits(make_dls, make, lr):
    assert_equal(trained_by_us(make_dls(), make, lr), trained_by_fastai(make_dls(), make, lr))


@pytest.mark.parametrize(("make", "lr"), MODELS)
def test_fastai_s_sgd_in_our_learner(make_dls, make, lr):
    assert_equal(trained_by_us(make_dls(), make, lr, FastaiSGD), trained_by_us(make_dls(), make, lr))


@pytest.mark.parametrize(("make", "lr"), MODELS)
def test_our_sgd_in_fastai_s_learner(make_dls, make, lr):
    ours = partial(OptimWrapper, opt=SGD)
    assert_equal(trained_by_fastai(make_dls(), make, lr, ours), trained_by_fastai(make_dls(), make, lr))


@pytest.mark.parametrize(("make", "lr"), MODELS)
def test_fastai_s_loaders_in_our_learner(sample, make, lr):
    loaders = [FastaiDataLoader(list(zip(part.flat, part.is_a(3), strict=True)), bs=256) for part in sample]
    dls = FastaiDataLoaders(*loaders, device="cpu")
    assert_equal(trained_by_us(dls, make, lr, epochs=2), trained_by_fastai(dls, make, lr, epochs=2))


def test_our_loaders_give_the_batches_that_fastai_collates(sample, make_dls):
    pairs = list(zip(sample.valid.flat, sample.valid.is_a(3), strict=True))
    for (xb, yb), (xb2, yb2) in zip(make_dls().valid, FastaiDataLoader(pairs, bs=256), strict=True):
        assert torch.equal(xb, xb2) and torch.equal(yb, yb2)


def test_one_cycle_runs_through_fastai_s_learning_rates(make_dls):
    ours = Learner(make_dls(), linear(), mnist_loss, verbose=False, device="cpu")
    ours.fit_one_cycle(2, 0.5)
    dls = make_dls()
    theirs = fastai_learner.Learner(
        FastaiDataLoaders(dls.train, dls.valid), linear(), loss_func=mnist_loss, opt_func=FastaiSGD
    )
    with theirs.no_logging():
        theirs.fit_one_cycle(2, 0.5)
    # fastai adds up the share of batches done, we compute it afresh: they drift apart by rounding.
    assert ours.recorder.lrs == pytest.approx([float(lr) for lr in theirs.recorder.lrs], abs=1e-7)


def test_fastai_s_adam_follows_our_one_cycle(make_dls):
    class Momentum(Callback):
        def before_fit(self, learn):
            self.usual, self.seen = learn.opt.hypers[-1]["mom"], []

        def after_step(self, learn):
            self.seen.append(learn.opt.hypers[-1]["mom"])

    noted = Momentum()
    learn = Learner(
        make_dls(), simple_net(), mnist_loss, FastaiAdam, batch_accuracy, cbs=noted, verbose=False, device="cpu"
    )
    learn.fit_one_cycle(2, 0.01)
    assert learn.recorder["batch_accuracy"][-1] > 0.97
    assert (noted.seen[0], min(noted.seen), noted.seen[-1]) == pytest.approx((0.95, 0.85, 0.95), abs=0.01)
    assert learn.opt.hypers[-1]["mom"] == noted.usual


@pytest.mark.parametrize("opt_func", [torch.optim.SGD, torch.optim.Adam])
def test_torch_s_optimizers_give_the_same_in_both(make_dls, opt_func):
    ours = trained_by_us(make_dls(), linear, 0.01, opt_func, epochs=2)
    theirs = trained_by_fastai(make_dls(), linear, 0.01, partial(OptimWrapper, opt=opt_func), epochs=2)
    assert_equal(ours, theirs)
