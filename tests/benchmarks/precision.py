"""A training step of the networks that look at patches: in float32 and bfloat16, channels apart or side by side.

Whether the processor has instructions for bfloat16 decides. So precision.json keeps a record of either kind, and a
machine renews its own.
"""

import json
import statistics
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from epochs import seconds_of
from torch import nn
from torchvision.models import resnet18

from mnistlib import conv_net, set_seed


def step_of(model: nn.Module, x: torch.Tensor, autocast: bool) -> float:
    y = torch.arange(len(x)) % 2

    def step() -> None:
        with torch.autocast("cpu", torch.bfloat16, enabled=autocast):
            loss = F.cross_entropy(model(x), y)
        loss.backward()
        model.zero_grad()

    return seconds_of(step)


def compare(rounds: int) -> dict[str, float]:
    """Return the median milliseconds of each way, which take turns."""
    set_seed(0)
    rows, photos = torch.rand(256, 784), torch.rand(64, 3, 28, 28)
    ways = {}
    for layout, form in (("apart", torch.contiguous_format), ("together", torch.channels_last)):
        nets = {
            "conv_net, 256 images": (conv_net(n_out=2).to(memory_format=form), rows),
            "ResNet-18, 64 images": (resnet18(num_classes=2).to(memory_format=form), photos.to(memory_format=form)),
        }
        for name, (model, x) in nets.items():
            for kind in ("float32", "bfloat16"):
                ways[f"{name}, {kind}, channels {layout}"] = (model, x, kind == "bfloat16")
    times: dict[str, list[float]] = {way: [] for way in ways}
    for _ in range(rounds + 1):
        for way, arguments in ways.items():
            times[way].append(step_of(*arguments))
    return {way: 1000 * statistics.median(t[1:]) for way, t in times.items()}


def has_instructions() -> bool:
    """Whether the processor, under Linux, says that it knows bfloat16: avx512_bf16, amx_bf16, or bf16 on ARM."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8").split()
    except OSError:
        return False
    return any(flag.endswith("bf16") for flag in flags)


def keep(record: dict[str, Any]) -> None:
    """Write a record into precision.json, in the place of the last one from such a machine."""
    file = Path(__file__).with_name("precision.json")
    records = json.loads(file.read_text(encoding="utf-8"))
    records["with" if has_instructions() else "without"] = record
    file.write_text(json.dumps(records, indent=1) + "\n", encoding="utf-8")
