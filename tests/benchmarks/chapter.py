"""The chapter's course as one script, as its readers run it: the yardstick for the time that the book takes to build.

    python tests/benchmarks/chapter.py

Images one PNG at a time, fastai's loaders and Learner, ResNet-18 at the end; as many epochs as the chapter trains.
"""

# ruff: noqa: T201
import time
import warnings

import fastai.callback.schedule  # noqa: F401  gives learners fit_one_cycle
import torch
import torch.nn.functional as F
from fastai.data.core import DataLoaders
from fastai.data.load import DataLoader
from fastai.learner import Learner
from fastai.metrics import accuracy
from fastai.optimizer import SGD
from fastai.vision.data import ImageDataLoaders
from fastai.vision.learner import vision_learner
from PIL import Image
from torch import Tensor, nn
from torchvision.models import resnet18
from torchvision.transforms.functional import pil_to_tensor

from mnistlib import batch_accuracy, mnist_loss, sample_folder, set_seed

warnings.filterwarnings("ignore")
start = time.perf_counter()


def lap(what: str) -> None:
    print(f"{time.perf_counter() - start:6.1f} s  {what}", flush=True)


def read(part: str, digit: str) -> Tensor:
    files = sorted((sample_folder() / part / digit).iterdir())
    return torch.stack([pil_to_tensor(Image.open(file))[0] for file in files]).float() / 255


def as_pairs(threes: Tensor, sevens: Tensor) -> list[tuple[Tensor, Tensor]]:
    x = torch.cat([threes, sevens]).view(-1, 784)
    y = torch.tensor([1] * len(threes) + [0] * len(sevens)).unsqueeze(1)
    return list(zip(x, y, strict=True))


def train(model: nn.Module, opt: SGD, epochs: int) -> float:
    for _ in range(epochs):
        for xb, yb in dls.train:
            mnist_loss(model(xb), yb).backward()
            opt.step()
            opt.zero_grad()
    return torch.stack([batch_accuracy(model(xb), yb) for xb, yb in dls.valid]).mean().item()


set_seed(0)
lap("imported")
train_3, train_7, valid_3, valid_7 = (read(part, digit) for part in ("train", "valid") for digit in "37")
lap("read the images")

mean_3, mean_7 = train_3.mean(0), train_7.mean(0)
for images, mean, other in ((valid_3, mean_3, mean_7), (valid_7, mean_7, mean_3)):
    nearer = (images - mean).abs().mean((-1, -2)) < (images - other).abs().mean((-1, -2))
    print(nearer.float().mean().item())
lap("pixel similarity")

seconds = torch.arange(20).float()
speed = torch.randn(20) * 3 + 0.75 * (seconds - 9.5) ** 2 + 1
params = torch.randn(3).requires_grad_()
for _ in range(10):
    a, b, c = params
    F.mse_loss(a * seconds**2 + b * seconds + c, speed).backward()
    params.data -= 1e-5 * params.grad.data
    params.grad = None
lap("a curve fitted")

dls = DataLoaders(
    DataLoader(as_pairs(train_3, train_7), bs=256), DataLoader(as_pairs(valid_3, valid_7), bs=256), device="cpu"
)
for _ in range(3):  # by hand, with an optimizer of one's own, and with fastai's
    model = nn.Linear(784, 1)
    print(train(model, SGD(model.parameters(), lr=1.0), 20))
lap("three linear models")

for model, epochs, lr in (
    (nn.Linear(784, 1), 10, 1.0),
    (nn.Sequential(nn.Linear(784, 30), nn.ReLU(), nn.Linear(30, 1)), 40, 0.1),
):
    learn = Learner(dls, model, loss_func=mnist_loss, opt_func=SGD, metrics=batch_accuracy)
    with learn.no_bar(), learn.no_logging():
        learn.fit(epochs, lr)
    print(learn.recorder.values[-1])
lap("a linear model and a net with fastai's Learner")

image_dls = ImageDataLoaders.from_folder(sample_folder(), valid="valid", num_workers=0, device="cpu")
resnet = vision_learner(image_dls, resnet18, pretrained=False, loss_func=F.cross_entropy, metrics=accuracy)
with resnet.no_bar(), resnet.no_logging():
    resnet.fit_one_cycle(1, 0.1)
print(resnet.recorder.values[-1])
lap("ResNet-18")
