"""Run the pages' notebooks as readers would: elsewhere, with mnistlib installed from its wheel.

    python tests/run_notebooks.py _build/site/en
    python tests/run_notebooks.py _build/site/en seeing/pixels learning/gradient-descent

`tox -e notebooks` does the first of these in an environment of its own.
"""

from __future__ import annotations

import sys
import tempfile
import time
from pathlib import Path

import nbformat
from nbclient import NotebookClient
from nbclient.exceptions import CellExecutionError


def run(file: Path, folder: str) -> None:
    """Run one notebook from top to bottom in an empty folder. Raises where a cell does."""
    client = NotebookClient(nbformat.read(file, as_version=4), timeout=1200, resources={"metadata": {"path": folder}})
    client.execute()


def main(site: Path, names: list[str]) -> int:
    files = [site / f"{name}.ipynb" for name in names] or sorted(site.rglob("*.ipynb"))
    if not files:
        sys.exit(f"no notebooks in {site}: build the book first with `tox -e book`")
    failed = 0
    for file in files:
        start = time.perf_counter()
        try:
            with tempfile.TemporaryDirectory() as folder:
                run(file, folder)
            outcome = "ran"
        except CellExecutionError as error:
            failed += 1
            outcome = f"FAILED\n{error}"
        print(f"{file.relative_to(site).as_posix():40} {time.perf_counter() - start:6.1f} s  {outcome}", flush=True)
    print(f"{len(files) - failed} of {len(files)} notebooks ran")
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
