"""SGD against torch.optim.SGD and closed forms."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from mnistlib.models import simple_net
from mnistlib.optimizer import SGD


@given(st.floats(1e-4, 1.0), st.integers(1, 5), st.integers(0, 1000))
def test_steps_equal_torch_s(lr, steps, seed):
    results = []
    for opt_func in (SGD, torch.optim.SGD):
        torch.manual_seed(seed)
        model, x = simple_net(4, 3), torch.randn(8, 4)
        opt = opt_func(model.parameters(), lr=lr)
        for _ in range(steps):
            (model(x) ** 2).mean().backward()
            opt.step()
            opt.zero_grad()
        results.append([p.detach().clone() for p in model.parameters()])
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours, theirs)


@given(
    st.lists(st.tuples(st.lists(st.integers(1, 4), max_size=3), st.booleans()), min_size=1, max_size=4),
    st.lists(st.floats(1e-4, 10.0), min_size=1, max_size=4),
    st.sampled_from([torch.float32, torch.float64]),
    st.integers(0, 1000),
)
def test_any_parameters_and_rates_move_as_torch_s(shapes, lrs, dtype, seed):
    """Some parameters have no gradient; the learning rate changes from step to step."""
    results = []
    for opt_func in (SGD, torch.optim.SGD):
        torch.manual_seed(seed)
        params = [torch.randn(shape, dtype=dtype, requires_grad=True) for shape, _ in shapes]
        opt = opt_func(params, lr=1.0)
        for lr in lrs:
            opt.param_groups[0]["lr"] = lr
            for p, (_, moves) in zip(params, shapes, strict=True):
                p.grad = torch.randn_like(p) if moves else None
            opt.step()
            opt.zero_grad()
            assert all(p.grad is None for p in params)
        results.append([p.detach() for p in params])
    for ours, theirs in zip(*results, strict=True):
        assert torch.equal(ours, theirs)


def test_on_a_parabola_every_step_scales_the_distance_to_the_minimum():
    w = torch.tensor(-1.5, dtype=torch.float64, requires_grad=True)
    opt = SGD([w], lr=0.1)
    for _ in range(10):
        (w**2).backward()
        opt.step()
        opt.zero_grad()
    assert w.item() == pytest.approx(-1.5 * 0.8**10)


def test_parameters_without_a_gradient_stay():
    used, unused = (torch.ones(2, requires_grad=True) for _ in range(2))
    used.sum().backward()
    SGD([used, unused], lr=0.5).step()
    assert used.tolist() == [0.5, 0.5]
    assert unused.tolist() == [1.0, 1.0]


def test_zero_grad_forgets():
    w = torch.tensor(1.0, requires_grad=True)
    opt = SGD([w], lr=1.0)
    w.backward()
    opt.zero_grad()
    assert w.grad is None


def test_a_schedule_of_torch_can_drive_it():
    w = torch.tensor(0.0, requires_grad=True)
    opt = SGD([w], lr=1.0)
    for group in opt.param_groups:
        group["lr"] = 0.25
    w.backward()
    opt.step()
    assert w.item() == -0.25


def test_misuse_is_said():
    model = simple_net(2, 2)
    walked = model.parameters()
    list(walked)
    with pytest.raises(ValueError, match="walked already"):
        SGD(walked, lr=1.0)
    for lr in (0, -1.0, float("nan")):
        with pytest.raises(ValueError, match="must be above 0"):
            SGD(model.parameters(), lr=lr)
    with pytest.raises(TypeError, match="must be a tensor, not float"):
        SGD([1.0], lr=1.0)
