"""How much memory something needs at its peak: the high-water mark of a process that does it alone (Linux)."""

import gc
import multiprocessing
import warnings
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path
from typing import Any

import torch


def resident(what: str) -> float:
    """Return this process's memory in MB: now (``VmRSS``), or at most (``VmHWM``) since `forget_peak`."""
    lines = Path("/proc/self/status").read_text(encoding="utf-8").splitlines()
    return int(next(line.split()[1] for line in lines if line.startswith(what))) / 1024


def forget_peak() -> None:
    """Let the high-water mark begin again at what is in use now: reading the images needs more than keeping them."""
    Path("/proc/self/clear_refs").write_text("5", encoding="utf-8")


def peak_of(prepare: Callable[..., Any], run: Callable[[Any], Any], *arguments: Any) -> tuple[float, float, Any]:
    """Return the peak in MB, how much of it came on top of what was prepared, and what the run gave."""
    torch.set_num_threads(1)
    warnings.simplefilter("ignore")
    prepared = prepare(*arguments)
    gc.collect()
    forget_peak()
    before = resident("VmRSS")
    result = run(prepared)
    return resident("VmHWM"), resident("VmHWM") - before, result


def alone(function: Callable[..., Any], *arguments: Any) -> Any:
    """Return what the function gives in a process of its own."""
    with ProcessPoolExecutor(1, multiprocessing.get_context("spawn")) as pool:
        return pool.submit(function, *arguments).result()
