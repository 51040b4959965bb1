"""Loaders give every item once an epoch, in the promised order."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from mnistlib.loader import DataLoader, DataLoaders

sizes = st.integers(1, 60)


@given(sizes, sizes, st.booleans(), st.integers(0, 1000))
def test_every_item_exactly_once_an_epoch_with_its_own_target(n, batch_size, shuffle, seed):
    loader = DataLoader(torch.arange(n), 10 * torch.arange(n), batch_size, shuffle=shuffle, seed=seed, device="cpu")
    batches = list(loader)
    assert len(batches) == len(loader) == -(-n // batch_size)
    assert [len(xb) for xb, _ in batches[:-1]] == [batch_size] * (len(batches) - 1)
    x, y = (torch.cat(parts) for parts in zip(*batches, strict=True))
    assert sorted(x.tolist()) == list(range(n))
    assert torch.equal(y, 10 * x)
    assert shuffle or torch.equal(x, torch.arange(n))


@given(sizes, sizes, st.booleans())
def test_drop_last_gives_full_batches_only(n, batch_size, shuffle):
    if n < batch_size:
        with pytest.raises(ValueError, match="leaves no batch"):
            DataLoader(torch.arange(n), torch.arange(n), batch_size, drop_last=True)
        return
    loader = DataLoader(torch.arange(n), torch.arange(n), batch_size, drop_last=True, shuffle=shuffle, device="cpu")
    assert [len(xb) for xb, _ in loader] == [batch_size] * (n // batch_size) == [batch_size] * len(loader)
    items = torch.cat([xb for xb, _ in loader]).tolist()
    assert len(set(items)) == len(items), "none comes twice"
    assert shuffle or items == list(range(len(items)))


@given(sizes, sizes, st.integers(1, 4), st.lists(st.integers(1, 3), max_size=3))
def test_every_epoch_is_whole_whatever_an_item_looks_like(n, batch_size, epochs, shape):
    x = torch.arange(n).view(-1, *[1] * len(shape)).expand(n, *shape).double()
    loader = DataLoader(x, x, batch_size, shuffle=True, device="cpu")
    for _ in range(epochs):
        xs, ys = (torch.cat(parts) for parts in zip(*loader, strict=True))
        assert xs.shape == x.shape and xs.dtype == x.dtype
        assert torch.equal(xs, ys)
        assert sorted(xs.reshape(n, -1)[:, 0].tolist()) == list(range(n))


def test_every_epoch_has_a_new_order_and_a_seed_repeats_them_all():
    x = torch.arange(100)

    def epochs(seed):
        loader = DataLoader(x, x, 10, shuffle=True, seed=seed)
        return [torch.cat([xb for xb, _ in loader]).tolist() for _ in range(3)]

    first = epochs(5)
    assert first[0] != first[1] != first[2]
    assert epochs(5) == first
    assert epochs(6) != first


def test_without_a_seed_the_order_follows_torch_s_random_state():
    x = torch.arange(100)
    orders = []
    for _ in range(2):
        torch.manual_seed(3)
        orders.append(torch.cat([xb for xb, _ in DataLoader(x, x, 10, shuffle=True)]).tolist())
    assert orders[0] == orders[1]


def test_a_batch_has_64_items_unless_another_number_is_asked_for():
    x = torch.arange(130)
    assert [len(xb) for xb, _ in DataLoader(x, x, device="cpu")] == [64, 64, 2]


def test_an_epoch_left_early_starts_afresh():
    loader = DataLoader(torch.arange(10), torch.arange(10), 3)
    next(iter(loader))
    assert len(list(loader)) == 4


@pytest.mark.parametrize(
    ("x", "y", "batch_size", "error", "message"),
    [
        ([torch.zeros(3)], torch.zeros(1), 1, TypeError, "x must be a tensor, not list; torch.as_tensor"),
        (torch.zeros(3), torch.zeros(2), 1, ValueError, "one length, not 3 and 2"),
        (torch.zeros(0, 784), torch.zeros(0, 1), 1, ValueError, "the data set is empty"),
        (torch.zeros(3), torch.zeros(3), 0, ValueError, "batch_size must be 1 or more"),
        (torch.tensor(1.0), torch.zeros(1), 1, ValueError, "it is a scalar"),
    ],
)
def test_data_that_give_no_batches_are_refused(x, y, batch_size, error, message):
    with pytest.raises(error, match=message):
        DataLoader(x, y, batch_size)


class OneDevice(TorchDispatchMode):
    """Let no operation mix tensors of two devices: accelerators refuse that, while ``meta`` lets much of it pass."""

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        kwargs = kwargs or {}
        tensors = [t for t in pytree.tree_leaves((args, kwargs)) if isinstance(t, torch.Tensor)]
        assert len({t.device for t in tensors}) <= 1, f"{function} is given tensors of two devices"
        return function(*args, **kwargs)


@pytest.mark.parametrize("shuffle", [False, True])
def test_data_move_to_the_device_once_and_an_order_follows_them(shuffle):
    loader = DataLoader(torch.zeros(6, 2), torch.zeros(6), 2, shuffle=shuffle, device="meta")
    assert loader.dataset.x.device.type == "meta"
    with OneDevice():
        assert all(xb.is_meta and yb.is_meta for xb, yb in loader)


def test_the_pair_gives_its_device_and_parts():
    train, valid = (DataLoader(torch.zeros(4), torch.zeros(4), device=device) for device in ("meta", "cpu"))
    dls = DataLoaders(train, valid)
    assert dls[0] is dls.train is train and dls[1] is dls.valid is valid
    assert dls.device == torch.device("meta")
    assert DataLoaders([(torch.zeros(1), torch.zeros(1))], []).device.type in {"cpu", "cuda", "mps"}
