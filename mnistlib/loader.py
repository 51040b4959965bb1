"""Loaders: a data set cut into mini-batches.

The whole data set stays in memory, on the device that computes; a batch is a slice of it.  Loaders
that collect a batch item by item spend most of an epoch on that.
"""

from collections.abc import Iterable, Iterator
from typing import NamedTuple

import torch
from torch import Tensor

from mnistlib.runtime import default_device

__all__ = ["DataLoader", "DataLoaders", "Pairs"]


class Pairs(NamedTuple):
    """A data set of inputs ``x`` and targets ``y``, one behind the other along their first axis.

    Examples
    --------
    >>> Pairs(torch.zeros(5, 784), torch.ones(5, 1)).x.shape
    torch.Size([5, 784])
    """

    x: Tensor
    y: Tensor


class DataLoader:
    """Walk a data set in mini-batches ``(xb, yb)``.

    Parameters
    ----------
    x, y : Tensor
        Inputs and targets, shapes ``[N, ...]`` with one N, at least 1.
    batch_size : int
        Items in a batch; the last batch of an epoch holds what is left.
    shuffle : bool
        Draw a new order every epoch.
    drop_last : bool
        Leave out a last batch that is not full.
    device : str or torch.device, optional
        Where the data are moved, once; without it `default_device` decides.
    seed : int, optional
        Fixes the orders of all epochs; without it they follow torch's own random state, which `set_seed` starts.

    Raises
    ------
    TypeError
        If ``x`` or ``y`` is no tensor, or the batch size no whole number.
    ValueError
        If the lengths differ, there is no item or no batch, or the batch size is below 1.

    Examples
    --------
    >>> loader = DataLoader(torch.arange(8.0), torch.arange(8), batch_size=3)
    >>> [yb.tolist() for xb, yb in loader]
    [[0, 1, 2], [3, 4, 5], [6, 7]]
    >>> len(loader)
    3
    """

    def __init__(
        self,
        x: Tensor,
        y: Tensor,
        batch_size: int = 64,
        *,
        shuffle: bool = False,
        drop_last: bool = False,
        device: str | torch.device | None = None,
        seed: int | None = None,
    ) -> None:
        for name, values in (("x", x), ("y", y)):
            if not isinstance(values, Tensor):
                raise TypeError(
                    f"{name} must be a tensor, not {type(values).__name__}; "
                    "torch.as_tensor makes one of an array, torch.stack one of a list of tensors"
                )
            if values.ndim == 0:
                raise ValueError(f"{name} must have a first axis to cut batches from, but it is a scalar")
        if len(x) != len(y):
            raise ValueError(f"x and y must have one length, not {len(x)} and {len(y)}: every input needs its target")
        if len(x) == 0:
            raise ValueError("the data set is empty: no batch can be made of it")
        if not hasattr(batch_size, "__index__"):
            raise TypeError(f"batch_size must be a whole number, not {batch_size!r}")
        if batch_size < 1:
            raise ValueError(f"batch_size must be 1 or more, not {batch_size}")
        if drop_last and len(x) < batch_size:
            raise ValueError(f"drop_last leaves no batch: {len(x)} items are fewer than batch_size={batch_size}")
        self.device = torch.device(device) if device is not None else default_device()
        self.dataset = Pairs(x.to(self.device), y.to(self.device))
        self.batch_size, self.shuffle, self.drop_last = batch_size, shuffle, drop_last
        self.generator = None if seed is None else torch.Generator().manual_seed(seed)

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        full, rest = divmod(len(self.dataset.x), self.batch_size)
        return full + (rest > 0 and not self.drop_last)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """Yield the batches of one epoch."""
        x, y = self.dataset
        if not self.shuffle:
            for start in range(0, len(self) * self.batch_size, self.batch_size):
                stop = start + self.batch_size
                yield x[start:stop], y[start:stop]
            return
        # Drawn on the CPU, so that a seed means the same order on every device.
        order = torch.randperm(len(x), generator=self.generator).to(self.device)
        for chosen in order.split(self.batch_size)[: len(self)]:
            yield x.index_select(0, chosen), y.index_select(0, chosen)


class DataLoaders:
    """The two loaders that a `Learner` needs: one to train on, one to validate on.

    Parameters
    ----------
    train, valid : iterable of batches
        Usually `DataLoader`; any sized iterable of pairs ``(xb, yb)`` will do, torch's and fastai's own included.

    Examples
    --------
    >>> from mnistlib.data import mnist_sample
    >>> train, valid = mnist_sample()
    >>> dls = DataLoaders(
    ...     DataLoader(train.flat, train.is_a(3), batch_size=256, shuffle=True),
    ...     DataLoader(valid.flat, valid.is_a(3), batch_size=256),
    ... )
    >>> xb, yb = next(iter(dls.train))
    >>> xb.shape, yb.shape
    (torch.Size([256, 784]), torch.Size([256, 1]))
    """

    def __init__(self, train: Iterable[tuple[Tensor, Tensor]], valid: Iterable[tuple[Tensor, Tensor]]) -> None:
        self.train, self.valid = train, valid

    def __getitem__(self, index: int) -> Iterable[tuple[Tensor, Tensor]]:
        """Return the loader to train on (0) or to validate on (1)."""
        return (self.train, self.valid)[index]

    @property
    def device(self) -> torch.device:
        """Where the training batches live."""
        device: torch.device | None = getattr(self.train, "device", None)
        return device if device is not None else default_device()
