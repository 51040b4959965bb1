"""What the page on speed and the page on several machines quote, measured in one run.

    python tests/benchmarks/bench.py            everything; some minutes, and speed.json and precision.json beside it
    python tests/benchmarks/bench.py --quick    a short look, which writes nothing

The modules beside this file say what each part measures. Nothing asserts the seconds: they are the machine's.
"""

# ruff: noqa: T201
import argparse
import datetime
import json
import os
import platform
import statistics
import sys
import warnings
from pathlib import Path
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).parent))
import distances
import precision
import processes
from epochs import VARIANTS, Task, race, seconds_of, slope
from memory import alone, peak_of


def processor() -> str:
    try:
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        return next(line.split(":")[1].strip() for line in lines if line.startswith("model name"))
    except (OSError, StopIteration):
        return platform.processor() or platform.machine()


def some_epochs(variant: str, task: str, batch_size: int, n: int | None) -> tuple[float, float, float]:
    """Return the peak in MB, how much of it came on top of images and imports, and the seconds of an epoch."""

    def run(data: Task) -> float:
        epoch = VARIANTS[variant](data)
        assert epoch is not None
        epoch.run()
        epoch.run()
        return statistics.median(seconds_of(epoch.run) for _ in range(3))

    return peak_of(Task, run, task, batch_size, n)


def memory(record: dict[str, Any]) -> None:
    record["memory"] = {}
    for variant in ("fastai", "torch", "ours", "compiled"):
        peak, beyond, _ = alone(some_epochs, variant, "784-30-10", 256, None)
        record["memory"][variant] = {"peak_mb": round(peak), "beyond_data_mb": round(beyond)}
        print(f"memory  {variant:9}{peak:7.0f} MB, {beyond:.0f} MB of it on top of the images", flush=True)


def growth(record: dict[str, Any], quick: bool) -> None:
    sizes = [3_000, 12_000] if quick else [3_000, 15_000, 60_000, 240_000]
    grown = [alone(some_epochs, "ours", "784-30-10", 256, n) for n in sizes]
    record["growth"] = {
        "images": sizes,
        "seconds": [row[2] for row in grown],
        "beyond_data_mb": [round(row[1]) for row in grown],
        "slope": slope(sizes, [row[2] for row in grown]),
    }
    print("growth ", record["growth"], flush=True)


def epochs(record: dict[str, Any], quick: bool) -> None:
    record["epochs"] = []
    for threads in (1,) if quick else (1, 2):
        torch.set_num_threads(threads)
        for name in ("784-30-1", "784-30-10"):
            for batch_size in (256,) if quick else (64, 256, 1024):
                torch.compiler.reset()
                rows = race(Task(name, batch_size), rounds=3 if quick else 7)
                record["epochs"].append({"task": name, "threads": threads, "batch_size": batch_size, "variants": rows})
                for variant, row in rows.items():
                    print(
                        f"{name:10} batch {batch_size:5} threads {threads}  {variant:9}{1000 * row['seconds']:8.1f} ms"
                        f"  {row['ratio']:5.2f} x fastai ({row['low']:.2f} to {row['high']:.2f})",
                        flush=True,
                    )


def means(record: dict[str, Any], quick: bool) -> None:
    torch.set_num_threads(1)
    linux = sys.platform == "linux"
    sizes = (10_000,) if quick else (10_000, 70_000)
    record["distances"] = [distances.compare(n, 3 if quick else 5, memory=linux) for n in sizes]
    for row in record["distances"]:
        print("nearest mean", row, flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--quick", action="store_true", help="a short run that writes nothing")
    quick = parser.parse_args().quick
    warnings.simplefilter("ignore")
    here = {
        "machine": f"{processor()}, {os.cpu_count()} cores",
        "python": platform.python_version(),
        "torch": torch.__version__,
        "date": datetime.datetime.now(tz=datetime.UTC).date().isoformat(),
    }
    print(", ".join(here.values()))
    record: dict[str, Any] = dict(here)
    if sys.platform == "linux":  # which tells a process its peak, and lets it begin anew
        memory(record)
        growth(record, quick)
    epochs(record, quick)
    means(record, quick)
    steps = precision.compare(9 if precision.has_instructions() and not quick else 2)  # some take 20 s without
    for way, ms in steps.items():
        print(f"{way:55}{ms:8.1f} ms", flush=True)
    record["processes"] = [processes.measure(n, quick) for n in (1, 2)]
    print("processes", record["processes"])
    if not quick:
        file = Path(__file__).with_name("speed.json")
        file.write_text(json.dumps(record, indent=1) + "\n", encoding="utf-8")
        precision.keep({**here, "step_ms": steps})


if __name__ == "__main__":
    main()
