"""The nearest mean of many images: plain broadcasting beside what `NearestMean` does, in time and memory."""

import statistics
from typing import Any

import torch
from epochs import seconds_of
from memory import alone, peak_of
from torch import Tensor

from mnistlib import NearestMean, mnist


def broadcast(model: NearestMean, images: Tensor) -> Tensor:
    return (images.unsqueeze(1) - model.means).abs().mean((-1, -2))


def walk(model: NearestMean, images: Tensor) -> Tensor:
    return model.distances(images)


WAYS = {"broadcast": broadcast, "walk": walk}


def prepared(n: int) -> tuple[NearestMean, Tensor]:
    train, test = mnist()
    images = torch.cat([train.floats, test.floats])[:n]
    return NearestMean().fit(train.floats, train.labels), images


def peak(way: str, n: int) -> float:
    """Return the MB that come on top of the images."""
    return peak_of(prepared, lambda given: WAYS[way](*given).argmin(1), n)[1]


def compare(n: int, rounds: int, memory: bool) -> dict[str, Any]:
    """Return for each way the median seconds and the MB beyond the images, and whether the answers are the same."""
    model, images = prepared(n)
    seconds: dict[str, list[float]] = {way: [] for way in WAYS}
    for _ in range(rounds):
        for way, function in WAYS.items():
            seconds[way].append(seconds_of(lambda function=function: function(model, images)))
    answers = [function(model, images) for function in WAYS.values()]
    return {
        "images": n,
        "ratio": statistics.median(a / b for a, b in zip(seconds["broadcast"], seconds["walk"], strict=True)),
        "same": bool((answers[0].argmin(1) == answers[1].argmin(1)).all()),
        "largest_difference": (answers[0] - answers[1]).abs().max().item(),
        "ways": {
            way: {"seconds": statistics.median(times)} | ({"beyond_mb": alone(peak, way, n)} if memory else {})
            for way, times in seconds.items()
        },
    }
