"""Check mnistlib as it is installed, in an environment that holds nothing but it and what it requires.

Run by ``tox -e package``; pytest leaves this file alone.
"""

import importlib.util
import subprocess
import sys
import tomllib
from importlib import metadata, resources
from pathlib import Path

ROOT = Path(__file__).parents[1]
MOST_MILLISECONDS = 100  # beyond torch and NumPy, at best of a few times: a busy machine only makes it longer

TIMED = """
import sys, time
import numpy, torch
start = time.perf_counter()
import mnistlib
print(1000 * (time.perf_counter() - start))
for unwanted in ("fastai", "matplotlib", "pandas", "sklearn"):
    assert unwanted not in sys.modules, f"import mnistlib loads {unwanted}"
"""

USED = """
import tempfile
from pathlib import Path
from mnistlib import *
train, valid = mnist_sample()
dls = DataLoaders(
    DataLoader(train.flat, train.is_a(3), 256, shuffle=True), DataLoader(valid.flat, valid.is_a(3), 256)
)
learn = Learner(dls, linear(), mnist_loss, metrics=[batch_accuracy])
learn.fit(2, lr=1.0)
assert learn.recorder["batch_accuracy"][-1] > 0.95
with tempfile.TemporaryDirectory() as folder:
    learn.load(learn.save(Path(folder) / "weights"))
    assert len(list((sample_folder(Path(folder) / "sample") / "train" / "3").iterdir())) == 6131
try:
    import mnistlib.plot
except ImportError as error:
    assert 'pip install "mnistlib[plot]"' in str(error), error
else:
    raise AssertionError("matplotlib is here, so this environment is not an empty one")
"""


def isolated(code: str) -> str:
    """Run code with ``-I``: from no folder but the environment's own, and deaf to PYTHONPATH."""
    done = subprocess.run(
        [sys.executable, "-I", "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def main() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    where = isolated("import mnistlib; print(mnistlib.__file__); print(mnistlib.__version__)").splitlines()
    assert "site-packages" in where[0], f"not an installed mnistlib: {where[0]}"
    assert where[1] == metadata.version("mnistlib") == project["version"], where[1]
    citation = (ROOT / "CITATION.cff").read_text(encoding="utf-8")
    assert f"\nversion: {project['version']}\n" in citation, "CITATION.cff is of another version"
    assert f"\n## {project['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"), "CHANGELOG.md lacks it"

    package = resources.files("mnistlib")
    for name in ("py.typed", "_archive/mnist.npz", "_archive/pack.py"):
        assert (package / name).is_file(), f"{name} is missing"
    licences = [file.name for file in metadata.files("mnistlib") or [] if file.name.startswith("LICENSE")]
    assert sorted(licences) == ["LICENSE", "LICENSE-data.md"], licences
    for absent in ("fastai", "matplotlib", "pandas", "sphinx"):
        assert importlib.util.find_spec(absent) is None, f"{absent} is here, so this environment is not an empty one"

    times = sorted(float(isolated(TIMED)) for _ in range(5))
    isolated(USED)
    print(f"mnistlib {where[1]} works by itself; importing it takes {times[0]:.0f} ms beyond torch and NumPy")
    assert times[0] < MOST_MILLISECONDS, f"importing mnistlib took {times} ms"


if __name__ == "__main__":
    main()
