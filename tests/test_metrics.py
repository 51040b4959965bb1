"""Metrics against scikit-learn and closed forms."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import accuracy_score

from mnistlib.metrics import RunningMean, accuracy, batch_accuracy

seeds = st.integers(0, 2**32 - 1)


@given(st.integers(1, 30), st.integers(2, 12), seeds)
def test_accuracy_equals_scikit_learn_s(n, classes, seed):
    torch.manual_seed(seed)
    preds, targets = torch.randn(n, classes), torch.randint(0, classes, (n,))
    expected = accuracy_score(targets.numpy(), preds.argmax(1).numpy())
    assert accuracy(preds, targets).item() == pytest.approx(expected)


@given(st.integers(1, 30), seeds)
def test_batch_accuracy_equals_scikit_learn_s(n, seed):
    torch.manual_seed(seed)
    preds, targets = torch.randn(n, 1), torch.randint(0, 2, (n, 1))
    expected = accuracy_score(targets.numpy().ravel(), preds.sigmoid().numpy().ravel() > 0.5)
    assert batch_accuracy(preds, targets).item() == pytest.approx(expected)


@given(st.integers(1, 30), seeds, st.sampled_from([torch.float32, torch.float64, torch.uint8, torch.int64, torch.bool]))
def test_answers_count_alike_in_every_dtype(n, seed, dtype):
    torch.manual_seed(seed)
    preds, targets = torch.randn(n, 1), torch.randint(0, 2, (n, 1))
    assert batch_accuracy(preds, targets.to(dtype)) == batch_accuracy(preds.double(), targets)
    assert batch_accuracy(preds, 1 - targets).item() == pytest.approx(1 - batch_accuracy(preds, targets).item())


def test_a_score_of_zero_answers_no():
    assert batch_accuracy(torch.zeros(1, 1), torch.zeros(1, 1)) == 1
    assert batch_accuracy(torch.zeros(1, 1), torch.ones(1, 1)) == 0


def test_shapes_that_do_not_fit_are_refused():
    with pytest.raises(ValueError, match="targets.unsqueeze"):
        batch_accuracy(torch.zeros(4, 1), torch.zeros(4))
    with pytest.raises(ValueError, match=r"\[N, K\] and targets \[N\], not \[4, 10\] and \[4, 1\]"):
        accuracy(torch.zeros(4, 10), torch.zeros(4, 1))
    with pytest.raises(ValueError, match="use batch_accuracy"):
        accuracy(torch.zeros(4, 1), torch.zeros(4))


@given(st.lists(st.booleans(), min_size=1, max_size=40), st.integers(1, 40))
def test_running_mean_counts_items_however_they_are_batched(right, batch_size):
    values = torch.tensor(right).float()
    mean = RunningMean()
    for batch in values.split(batch_size):
        mean.add(batch.mean(), len(batch))
    assert mean.value.item() == pytest.approx(values.mean().item(), abs=1e-6)


def test_running_mean_takes_plain_numbers_and_refuses_nothing():
    mean = RunningMean()
    with pytest.raises(ValueError, match="no items"):
        _ = mean.value
    mean.add(0.5, 2)
    assert mean.value.item() == 0.5


def test_running_mean_does_not_hold_on_to_the_graph():
    w = torch.tensor(2.0, requires_grad=True)
    mean = RunningMean()
    mean.add(w * 3, 1)
    assert not mean.value.requires_grad


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
def test_many_batches_in_half_precision_are_added_up_in_float32(dtype):
    mean = RunningMean()
    for _ in range(1100):
        mean.add(torch.tensor(1.0, dtype=dtype), 64)
    assert mean.value == 1
    assert mean.value.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
