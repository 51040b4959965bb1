"""What all tests share: the sample, read once, one seed before every test, and a browser."""

import os

if "PYTEST_XDIST_WORKER" in os.environ:  # tests that run side by side get in each other's way with all threads each
    os.environ.setdefault("OMP_NUM_THREADS", "1")

import matplotlib
import pytest
from hypothesis import settings

from mnistlib.data import Parts, mnist_sample, sample_folder
from mnistlib.loader import DataLoader, DataLoaders
from mnistlib.runtime import set_seed

matplotlib.use("agg")
# The same examples every run, and no verdict from a clock: the machine may be busy with other things.
settings.register_profile("repeatable", deadline=None, derandomize=True, database=None)
settings.load_profile("repeatable")


@pytest.fixture(autouse=True)
def seeded():
    set_seed(0)


@pytest.fixture(autouse=True)
def figures_closed():
    yield
    import matplotlib.pyplot as plt

    plt.close("all")


@pytest.fixture(scope="session")
def sample() -> Parts:
    return mnist_sample()


@pytest.fixture(scope="session")
def folder(tmp_path_factory):
    """The sample as PNG files, written once; tests only read it."""
    return sample_folder(tmp_path_factory.mktemp("cache") / "sample")


@pytest.fixture
def make_dls(sample):
    """Return a function that gives fresh loaders with the same batches in the same order every time."""

    def make(batch_size=256, shuffle=True):
        train, valid = sample
        return DataLoaders(
            DataLoader(train.flat, train.is_a(3), batch_size, shuffle=shuffle, seed=1, device="cpu"),
            DataLoader(valid.flat, valid.is_a(3), batch_size, device="cpu"),
        )

    return make


@pytest.fixture(scope="session")
def browser():
    """Chromium, Chrome or Edge, whichever is installed, or the one that `playwright install chromium` fetches."""
    api = pytest.importorskip("playwright.sync_api")
    from browser import NONE, launch

    with api.sync_playwright() as playwright:
        browser = launch(playwright)
        if browser is None:
            pytest.skip(NONE)
        yield browser
        browser.close()
