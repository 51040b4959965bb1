"""Losses against torch.nn.functional and closed forms."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st

from mnistlib.losses import mnist_loss, mse

seeds = st.integers(0, 2**32 - 1)


@given(st.lists(st.integers(1, 5), max_size=3), seeds)
def test_mse_equals_torch_s(shape, seed):
    torch.manual_seed(seed)
    preds, targets = torch.randn(shape), torch.randn(shape)
    assert torch.isclose(mse(preds, targets), F.mse_loss(preds, targets))


@given(st.integers(1, 20), seeds)
def test_mnist_loss_is_the_mean_distance_from_the_target(n, seed):
    torch.manual_seed(seed)
    preds, targets = 5 * torch.randn(n, 1), torch.randint(0, 2, (n, 1))
    assert torch.isclose(mnist_loss(preds, targets), F.l1_loss(preds.sigmoid(), targets.float()))


@given(st.integers(1, 20), seeds)
def test_mnist_loss_of_the_opposite_answer_is_what_is_left_to_1(n, seed):
    torch.manual_seed(seed)
    preds, targets = 5 * torch.randn(n, 1, dtype=torch.float64), torch.randint(0, 2, (n, 1))
    loss = mnist_loss(preds, targets)
    assert 0 <= loss <= 1
    assert torch.isclose(mnist_loss(preds, 1 - targets), 1 - loss)
    assert torch.isclose(mnist_loss(-preds, 1 - targets), loss)
    assert torch.equal(mnist_loss(preds, targets.bool()), loss)


def test_the_chapter_s_two_values():
    targets = torch.tensor([1, 0, 1])
    for shares, value in (([0.9, 0.4, 0.2], "0.4333"), ([0.9, 0.4, 0.8], "0.2333")):
        assert f"{mnist_loss(torch.tensor(shares).logit(), targets):.4f}" == value


def test_gradients_stay_finite_at_extreme_scores():
    preds = torch.tensor([-1000.0, -100.0, 0.0, 100.0, 1000.0], requires_grad=True)
    mnist_loss(preds, torch.tensor([1, 0, 1, 0, 1])).backward()
    assert torch.isfinite(preds.grad).all()


def test_gradients_equal_finite_differences():
    preds = torch.randn(6, 1, dtype=torch.float64, requires_grad=True)
    targets = torch.tensor([[1.0], [0], [1], [0], [1], [1]])
    assert torch.autograd.gradcheck(lambda p: mnist_loss(p, targets), preds)
    assert torch.autograd.gradcheck(lambda p: mse(p, targets), preds)


@pytest.mark.parametrize("loss", [mnist_loss, mse])
def test_shapes_that_would_broadcast_are_refused_with_the_cure(loss):
    column, row = torch.zeros(4, 1), torch.zeros(4)
    with pytest.raises(ValueError, match=r"not \[4, 1\] and \[4\]; make the targets a column with targets.unsqueeze"):
        loss(column, row)
    with pytest.raises(ValueError, match=r"not \[4\] and \[4, 1\]; make the predictions a column"):
        loss(row, column)
    with pytest.raises(ValueError, match=r"not \[4, 10\] and \[4\]$"):
        loss(torch.zeros(4, 10), row)
