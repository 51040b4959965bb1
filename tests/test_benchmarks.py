"""What the benchmark compares does the same work: an epoch from the same weights ends with the same parameters."""

import sys
from pathlib import Path

import pytest
import torch

from mnistlib import set_seed

sys.path.insert(0, str(Path(__file__).with_name("benchmarks")))
import epochs


@pytest.fixture
def one_thread():
    usual = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(usual)


def after_an_epoch(epoch):
    set_seed(1)  # which fixes the order of the images
    epoch.run()
    return [p.detach().flatten() for p in epoch.params]


@pytest.mark.parametrize("batch_size", [64, 256])
@pytest.mark.parametrize("variant", ["by hand", "C"])
def test_the_short_cuts_lead_to_the_same_parameters(one_thread, variant, batch_size):
    task = epochs.Task("784-30-1", batch_size)
    epoch = epochs.VARIANTS[variant](task)
    if epoch is None:
        pytest.skip("no C compiler here")
    for short, plain in zip(after_an_epoch(epoch), after_an_epoch(epochs.ours(task)), strict=True):
        torch.testing.assert_close(short[: len(plain)], plain, rtol=0, atol=1e-5)
        assert not short[len(plain) :].any(), "units that the model does not have stay at 0"


def test_the_usual_model_is_ours():
    task = epochs.Task("784-30-10", 256)
    x = task.parts[1][0][:100]
    torch.testing.assert_close(task.usual_model()(x), task.model()(x))
