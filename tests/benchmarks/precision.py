"""A training step of the networks that look at patches: in float32 and bfloat16, channels apart or side by side."""

import statistics

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
