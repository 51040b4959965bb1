"""Device and seed."""

import random

import numpy as np
import pytest
import torch

from mnistlib.runtime import default_device, set_seed


def test_the_environment_overrides_the_device(monkeypatch):
    monkeypatch.setenv("MNISTLIB_DEVICE", "meta")
    assert default_device() == torch.device("meta")
    monkeypatch.setenv("MNISTLIB_DEVICE", "toaster")
    with pytest.raises(ValueError, match="'toaster', but torch knows no such device"):
        default_device()


def test_the_best_device_there_is(monkeypatch):
    monkeypatch.delenv("MNISTLIB_DEVICE", raising=False)
    expected = "cuda" if torch.cuda.is_available() else "mps" if torch.backends.mps.is_available() else "cpu"
    assert default_device().type == expected


def test_one_seed_for_every_source_of_random_numbers():
    drawn = []
    for _ in range(2):
        set_seed(7)
        drawn.append((torch.rand(3).tolist(), np.random.rand(3).tolist(), random.random()))
    assert drawn[0] == drawn[1]
