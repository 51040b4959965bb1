"""What goes wrong, and what a reader is told then: a table of situations, and disks and processes that fail.

``MNISTLIB_KILLS`` is how often a process is killed at a random moment in each of the tests that do so.
"""

import io
import math
import multiprocessing
import os
import pickle
import random
import shutil
import signal
import struct
import subprocess
import sys
import time
import zlib
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from PIL import Image
from torch import nn

from mnistlib import data, plot
from mnistlib._files import whole_file
from mnistlib.data import DamagedDataError, Digits, from_folder, mnist, mnist_sample, read_idx, sample_folder
from mnistlib.distance import NearestMean, l1_distance
from mnistlib.learner import Callback, Learner
from mnistlib.loader import DataLoader, DataLoaders
from mnistlib.losses import mnist_loss, mse
from mnistlib.metrics import RunningMean, accuracy, batch_accuracy
from mnistlib.models import conv_net, linear, simple_net
from mnistlib.optimizer import SGD
from mnistlib.runtime import set_seed

KILLS = int(os.environ.get("MNISTLIB_KILLS", "2"))
NAN, INF = math.nan, math.inf

# -- makers of bad things ---------------------------------------------------------------------------


def chunk(kind: bytes, content: bytes) -> bytes:
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(width=28, height=28, bits=8, color=0, between=b"", content=bytes(28 * 29)) -> bytes:
    """Build a PNG by hand, gray and empty unless told otherwise, with chunks between its header and its pixels."""
    header = chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, bits, color, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + between + chunk(b"IDAT", zlib.compress(content)) + chunk(b"IEND", b"")


def encoded(mode: str, kind: str = "png", size=(28, 28)) -> bytes:
    stream = io.BytesIO()
    Image.new(mode, size).save(stream, kind)
    return stream.getvalue()


def flipped(content: bytes, at: int) -> bytes:
    return content[:at] + bytes([content[at] ^ 1]) + content[at + 1 :]


def reading(content: bytes, name: str = "odd.png", label: str = "3"):
    """Return an act that reads a folder with one file of this content."""

    def act(at: Path) -> Digits:
        (at / label).mkdir()
        (at / label / name).write_bytes(content)
        return from_folder(at)

    return act


def idx(*opening: int):
    """Return an act that reads an IDX file of these bytes."""

    def act(at: Path) -> torch.Tensor:
        (at / "odd").write_bytes(bytes(opening))
        return read_idx(at / "odd")

    return act


def digits(n=1, labels=None, numbers=None) -> Digits:
    images = torch.zeros(n, 28, 28, dtype=torch.uint8)
    ones = torch.ones(n, dtype=torch.int64)
    return Digits(images, ones if labels is None else labels, ones if numbers is None else numbers)


X = torch.linspace(-1, 1, 9).unsqueeze(1)  # nine items: batches of 4, 4 and 1
ROWS = torch.linspace(0, 1, 9 * 784).view(9, 784)
CLASSES = torch.arange(9)
IMAGES = torch.linspace(0, 1, 2 * 9).view(2, 3, 3)


def learner(x=X, y=None, model=None, loss=mse, batch_size=4, drop_last=False, valid=None, **settings) -> Learner:
    y = 2 * x if y is None else y
    set_seed(0)
    train = DataLoader(x, y, batch_size, drop_last=drop_last, device="cpu")
    return Learner(DataLoaders(train, valid or train), model or linear(1, 1), loss, verbose=False, **settings)


def fitting(**settings):
    return lambda at: learner(**settings).fit(1, lr=0.1)


def with_batch_norm() -> nn.Module:
    return nn.Sequential(nn.Linear(1, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))


def saved(at: Path, model: nn.Module) -> Path:
    return learner(model=model).save(at / "weights")


def written(at: Path, content: bytes) -> Path:
    (at / "weights").write_bytes(content)
    return at / "weights"


def pickled() -> bytes:
    stream = io.BytesIO()
    torch.save(linear(1, 1).state_dict(), stream)
    return stream.getvalue()


def fitted() -> NearestMean:
    return NearestMean().fit(IMAGES, torch.tensor([0, 1]))


def with_pixel(value: float) -> torch.Tensor:
    images = IMAGES.clone()
    images[1, 2, 2] = value
    return images


BOMB = zlib.compress(bytes(100_000_000))

# fmt: off
TABLE = {
    # situation: (what is done, the error, what it says)

    # Images that are not 28x28 gray ones.
    "image: a text":                 (reading(b"hello"), DamagedDataError, r"odd\.png: cannot be read as an image"),
    "image: empty":                  (reading(b""), DamagedDataError, "opens like none, or is cut short"),
    "image: PostScript":             (reading(b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 28 28\n%%EndComments\n"),
                                      DamagedDataError, "opens like none"),
    "image: cut in the pixels":      (reading(png()[:50]), DamagedDataError, "cannot be read as an image"),
    "image: a bit flipped":          (reading(flipped(png(), 48)), DamagedDataError, "bad header checksum"),
    "image: a bit of size flipped":  (reading(flipped(png(), 19)), DamagedDataError, "opens like none"),
    "image: no pixels":              (reading(png(0, 0)), DamagedDataError, "opens like none"),
    "image: wide":                   (reading(png(29)), DamagedDataError, "is 29x28 pixels and must be 28x28"),
    "image: high":                   (reading(png(28, 27)), DamagedDataError, "is 28x27 pixels"),
    "image: black and white":        (reading(encoded("1")), DamagedDataError, "mode '1' and must be 8-bit gray"),
    "image: gray and transparent":   (reading(encoded("LA")), DamagedDataError, "mode 'LA'"),
    "image: palette":                (reading(encoded("P")), DamagedDataError, "mode 'P'"),
    "image: color":                  (reading(encoded("RGB")), DamagedDataError, r"mode 'RGB' .*convert\('L'\)"),
    "image: color, transparent":     (reading(encoded("RGBA")), DamagedDataError, "mode 'RGBA'"),
    "image: print colors":           (reading(encoded("CMYK", "tiff"), "odd.tif"), DamagedDataError, "mode 'CMYK'"),
    "image: 16 bits":                (reading(png(bits=16, content=bytes(28 * 57))), DamagedDataError, "8-bit gray"),
    "image: floating point":         (reading(encoded("F", "tiff"), "odd.tiff"), DamagedDataError, "mode 'F'"),
    "image: GIF":                    (reading(encoded("L", "gif"), "odd.gif"), DamagedDataError, "mode 'P'"),
    "bomb: a header of 2^62 pixels": (reading(png(2**31 - 1, 2**31 - 1)), DamagedDataError, "bomb"),
    "bomb: 200 million pixels":      (reading(png(20_000, 10_000)), DamagedDataError, "bomb"),
    "bomb: 100 MB of text":          (reading(png(between=chunk(b"zTXt", b"a\0\0" + BOMB))), DamagedDataError,
                                      "(?i)too large"),
    "bomb: 100 MB of color profile": (reading(png(between=chunk(b"iCCP", b"a\0\0" + BOMB))), DamagedDataError,
                                      "too large|exceeds|cannot be read"),

    # Folders and names.
    "folder: not there":             (lambda at: from_folder(at / "no"), FileNotFoundError, "no such folder of images"),
    "folder: a Windows path":        (lambda at: from_folder("C:\\Users\\me\\digits"), FileNotFoundError, "digits"),
    "folder: a file":                (lambda at: from_folder(__file__), FileNotFoundError, "no such folder of images"),
    "folder: empty":                 (from_folder, DamagedDataError, "no images found in subfolders named 0 to 9"),
    "folder: label 10":              (reading(png(), label="10"), DamagedDataError, "must be a digit 0 to 9, not '10'"),
    "folder: label 03":              (reading(png(), label="03"), DamagedDataError, "not '03'"),
    "folder: label three":           (reading(png(), label="three"), DamagedDataError, "not 'three'"),
    "folder: a wide three":          (reading(png(), label="３"), DamagedDataError, "not '３'"),
    "folder: a Chinese three":       (reading(png(), label="三"), DamagedDataError, "not '三'"),
    "folder: train by mistake":      (reading(png(), label="train"), DamagedDataError, "did you mean from_folder"),
    "folder: one named as an image": (lambda at: (at / "3" / "a.png").mkdir(parents=True) or from_folder(at),
                                      DamagedDataError, r"a\.png: cannot be read as an image"),
    "folder: a broken link":         (lambda at: (at / "3").mkdir() or (at / "3" / "a.png").symlink_to("no")
                                      or from_folder(at), DamagedDataError, r"a\.png: cannot be read as an image"),

    # Files in IDX.
    "idx: not there":                (lambda at: read_idx(at / "no"), FileNotFoundError, "no"),
    "idx: floats":                   (idx(0, 0, 13, 1, 0, 0, 0, 1, 0, 0, 0, 0), DamagedDataError, "unsigned bytes"),
    "idx: no axis, no value":        (idx(0, 0, 8, 0), DamagedDataError, "states 1 values"),
    "idx: 65 axes":                  (idx(0, 0, 8, 65, *[0, 0, 0, 1] * 65, 7), DamagedDataError, "no array can have"),
    "idx: 255 axes":                 (idx(0, 0, 8, 255, *[0] * 4 * 255), DamagedDataError, "no array can have"),
    "idx: nothing times too much":   (idx(0, 0, 8, 3, 0, 0, 0, 0, *[255] * 8), DamagedDataError, "no array can have"),

    # Digits.
    "digits: a list":                (lambda at: Digits([1], X, X), TypeError, "Digits needs tensors, not list and"),
    "digits: an array":              (lambda at: Digits(np.zeros((1, 28, 28)), X, X), TypeError, "torch.as_tensor"),
    "digits: a scalar":              (lambda at: Digits(torch.tensor(1, dtype=torch.uint8), X, X), ValueError, r"\[\]"),
    "digits: labels as int32":       (lambda at: digits(labels=torch.ones(1, dtype=torch.int32)), ValueError, "int64"),
    "digits: numbers of others":     (lambda at: digits(numbers=torch.ones(2, dtype=torch.int64)), ValueError,
                                      "numbers must be int64 of shape"),
    "digits: label 10":              (lambda at: digits(labels=torch.tensor([10])), ValueError, r"found \[10\]"),
    "digits: one by its place":      (lambda at: digits()[0], TypeError, r"one image is \.images\[0\]"),
    "digits: walked through":        (lambda at: list(digits()), TypeError, "cut by a slice, a mask or positions"),
    "digits: is it a 12?":           (lambda at: digits().is_a(12), ValueError, "a digit is a number 0 to 9, not 12"),
    "digits: is it a '3'?":          (lambda at: digits().is_a("3"), ValueError, "not '3'"),
    "digits: those of '1'":          (lambda at: digits().of("1"), ValueError, r"no image of '1' here.* \[1\]"),
    "digits: those of none":         (lambda at: digits(0).of(1), ValueError, r"the digits are \[\]"),

    # Loaders.
    "loader: an array":              (lambda at: DataLoader(np.zeros(3), np.zeros(3)), TypeError, "not ndarray"),
    "loader: empty":                 (lambda at: DataLoader(X[:0], X[:0]), ValueError, "the data set is empty"),
    "loader: half a batch":          (lambda at: DataLoader(X, X, 2.5), TypeError, "a whole number, not 2.5"),
    "loader: batches of none":       (lambda at: DataLoader(X, X, 0), ValueError, "1 or more, not 0"),
    "loader: one item dropped":      (lambda at: DataLoader(X[:1], X[:1], 2, drop_last=True), ValueError, "no batch"),
    "training: no batch":            (lambda at: Learner(DataLoaders([], [(X, X)]), linear(1, 1), mse), ValueError,
                                      "the training loader is empty"),
    "loaders: a bare pair":          (lambda at: Learner(([(X, X)], [(X, X)]), linear(1, 1), mse), TypeError,
                                      "dls must have a train and a valid loader, as DataLoaders has; a tuple of 2"),
    "loaders: batches of three":     (lambda at: Learner(DataLoaders([(X, X, X)], [(X, X)]), linear(1, 1), mse,
                                      device="cpu", verbose=False).fit(1, 0.1), TypeError, "pairs .*tuple of 3"),
    "loaders: inputs alone":         (lambda at: Learner(DataLoaders([X], [X]), linear(1, 1), mse, device="cpu",
                                      verbose=False).fit(1, 0.1), TypeError, "not Tensor"),
    "validation: no item":           (fitting(valid=[(X[:0], X[:0])]), ValueError, "mean of no items"),
    "mean: of nothing":              (lambda at: RunningMean().value, ValueError, "mean of no items"),

    # Numbers that are none.
    "NaN in an input":               (fitting(x=X.clone().index_fill(0, torch.tensor(5), NAN)), FloatingPointError,
                                      "became nan at epoch 0, batch 1"),
    "infinity in an input":          (fitting(x=X.clone().index_fill(0, torch.tensor(8), INF)), FloatingPointError,
                                      "epoch 0, batch 2"),
    "NaN in a target":               (fitting(y=torch.full((9, 1), NAN)), FloatingPointError, "epoch 0, batch 0"),
    "NaN as label of mnist_loss":    (fitting(y=torch.full((9, 1), NAN), loss=mnist_loss), FloatingPointError, "nan"),
    "labels 3 and 7 in mnist_loss":  (fitting(y=torch.full((9, 1), 7), loss=mnist_loss), FloatingPointError,
                                      "targets that the loss does not know"),
    "a learning rate too large":     (lambda at: learner(y=100 * X).fit(50, lr=1e4), FloatingPointError,
                                      "smaller learning rate"),
    "NaN while finding a rate":      (lambda at: learner(y=X * NAN).lr_find(), FloatingPointError, "the first batch"),
    "learning rate NaN":             (lambda at: learner().fit(1, lr=NAN), ValueError, "a finite number above 0"),
    "learning rate of SGD infinite": (lambda at: SGD([X], lr=INF), ValueError, "above 0 and finite, not inf"),
    "NaN in a training image":       (lambda at: NearestMean().fit(with_pixel(NAN), torch.tensor([3, 7])), ValueError,
                                      r"images of \[7\] hold NaN"),
    "infinity in a training image":  (lambda at: NearestMean().fit(with_pixel(-INF), torch.tensor([3, 7])), ValueError,
                                      r"images of \[7\] hold NaN or infinite"),
    "NaN in an image":               (lambda at: fitted().predict(with_pixel(NAN)), ValueError, "image 1 holds NaN"),
    "infinity in an image":          (lambda at: fitted().predict(with_pixel(INF)), ValueError, "image 1 holds NaN"),

    # Labels out of range.
    "label 10 of 0 to 9":            (fitting(model=linear(1, 10), y=CLASSES + 2, loss=F.cross_entropy), ValueError,
                                      "Target 10 is out of bounds.*10 scores an item, so targets must lie in 0 to 9"),
    "label -1":                      (fitting(model=linear(1, 10), y=CLASSES - 1, loss=F.cross_entropy), ValueError,
                                      "Target -1 is out of bounds"),
    "classes, and one score":        (fitting(y=CLASSES, loss=F.cross_entropy), ValueError,
                                      "the model gives 1 score an item, so targets must lie in 0 to 0"),
    "classes in a column":           (fitting(model=linear(1, 10), y=CLASSES[:, None], loss=F.cross_entropy),
                                      ValueError, r"targets must have shape \[N\], not \[4, 1\]; squeeze\(1\)"),
    "integers where floats belong":  (fitting(y=CLASSES[:, None], loss=F.binary_cross_entropy_with_logits), ValueError,
                                      r"the targets are torch.int64; \.float\(\) converts them"),
    "label 2 of a table of 0 and 1": (lambda at: plot.confusion_counts(torch.tensor([0]), torch.tensor([2]), 2),
                                      ValueError, "targets must lie in 0 to 1, not 2 to 2"),
    "prediction 2 in that table":    (lambda at: plot.confusion_counts(torch.tensor([2]), torch.tensor([0]), 2),
                                      ValueError, "predictions must lie in 0 to 1"),
    "prediction -1 in that table":   (lambda at: plot.confusion_counts(torch.tensor([-1]), torch.tensor([1]), 2),
                                      ValueError, "not -1 to -1"),

    # Dtypes and devices.
    "bytes into a model":            (fitting(x=X.to(torch.uint8), y=X), ValueError,
                                      r"shape \[4, 1\] and torch.uint8.*\.to\(torch.float32\) and divide by 255"),
    "float64 into a model":          (fitting(x=X.double()), ValueError, r"convert the inputs with \.to\(torch"),
    "an array to predict":           (lambda at: learner().predict(X.numpy()), TypeError, "not ndarray; torch.as"),
    "bytes to predict":              (lambda at: learner().predict(X.to(torch.uint8)), ValueError, "divide by 255"),
    "integers as predictions":       (lambda at: mse(CLASSES, CLASSES), TypeError, r"not torch.int64; \.float\(\)"),
    "lists as predictions":          (lambda at: mse([1.0], [1.0]), TypeError, "mse needs tensors, not list and list"),
    "arrays as predictions":         (lambda at: accuracy(np.zeros((1, 2)), np.zeros(1)), TypeError, "not ndarray"),
    "images as bytes":               (lambda at: NearestMean().fit(IMAGES.to(torch.uint8), CLASSES[:2]), TypeError,
                                      "divide by 255 first"),
    "images as float64":             (lambda at: fitted().predict(IMAGES.double()), TypeError,
                                      r"images are torch.float64 and the means torch.float32"),
    "lists as images":               (lambda at: l1_distance([0.0], [0.0]), TypeError, "a distance needs tensors"),
    "two devices in a loss":         (lambda at: mse(X, X.to("meta")), RuntimeError, "device"),
    "no such device":                (lambda at: learner(device="toaster"), RuntimeError, "toaster"),
    "a model without numbers":       (lambda at: learner(model=nn.Linear(1, 1, device="meta")), NotImplementedError,
                                      "no data"),

    # Shapes.
    "targets without their column":  (fitting(y=X[:, 0]), ValueError, "targets.unsqueeze|unsqueeze"),
    "predictions without a column":  (lambda at: mnist_loss(X[:, 0], X), ValueError, r"preds\.unsqueeze\(1\)"),
    "a metric on such targets":      (lambda at: batch_accuracy(X, X[:, 0]), ValueError, r"targets\.unsqueeze\(1\)"),
    "images not in rows":            (fitting(x=ROWS.view(9, 28, 28), y=X, model=linear()), ValueError,
                                      r"shape \[4, 28, 28\].*rows of 784 pixels; flatten\(1\)"),
    "images not in rows, conv":      (fitting(x=ROWS.view(9, 1, 28, 28), y=X, model=conv_net()), ValueError,
                                      r"rows of 784 pixels; flatten\(1\)"),
    "rows of another length":        (fitting(x=ROWS[:, :9], y=X), RuntimeError, r"4x9 and 1x1"),
    "one image, not a stack":        (lambda at: fitted().predict(IMAGES[0]), ValueError, r"not \[3, 3\]; unsqueeze"),
    "rows to the nearest mean":      (lambda at: NearestMean().fit(ROWS, CLASSES), ValueError, r"images \[N, H, W\]"),
    "a last batch of one, normed":   (fitting(model=with_batch_norm()), ValueError,
                                      "needs two items or more; drop_last=True"),
    "one item, normed":              (fitting(x=ROWS[:1], y=X[:1], model=conv_net(), loss=mnist_loss), ValueError,
                                      "needs two items or more"),

    # Functions that are none, or give what cannot be used.
    "a metric that returns a list":  (fitting(metrics=[lambda p, y: [1.0, 2.0]]), TypeError, "one number .* not list"),
    "a metric that returns nothing": (fitting(metrics=[lambda p, y: None]), TypeError, "not NoneType"),
    "a metric that is a class":      (lambda at: learner(metrics=[nn.L1Loss]), TypeError, "L1Loss needs its brackets"),
    "a metric that is a text":       (lambda at: learner(metrics=["accuracy"]), TypeError, "not 'accuracy'"),
    "a loss that is a class":        (lambda at: learner(loss=nn.MSELoss), TypeError, "MSELoss needs its brackets"),
    "a loss that is a text":         (lambda at: learner(loss="mse"), TypeError, "loss_func must be a function"),
    "a loss that returns a float":   (fitting(loss=lambda p, y: 0.5), TypeError, "a tensor with one number, not float"),
    "a loss that returns nothing":   (fitting(loss=lambda p, y: None), TypeError, "not NoneType"),
    "a loss for every item":         (fitting(loss=lambda p, y: p - y), ValueError, "take its mean"),
    "a loss cut off":                (fitting(loss=lambda p, y: mse(p, y).detach()), ValueError, "has no gradient"),
    "accuracy as a loss":            (fitting(y=(X > 0).float(), loss=batch_accuracy), ValueError,
                                      "accuracy, for one, is a metric and no loss"),
    "a model that is a function":    (lambda at: learner(model=torch.sin), TypeError, "must be an nn.Module"),
    "a model that is a class":       (lambda at: learner(model=nn.Linear), TypeError, "a class needs its brackets"),
    "an optimizer made already":     (lambda at: learner(opt_func=SGD([X], 0.1)), TypeError, "is one already"),
    "a parameter not in a list":     (lambda at: SGD(X, lr=0.1), TypeError, r"\[params\]"),
    "a parameter twice":             (lambda at: SGD([X, X], lr=0.1), ValueError, "comes twice"),

    # Weights.
    "weights: of another net":       (lambda at: learner().load(saved(at, with_batch_norm())), ValueError,
                                      r"not this model's \(0.bias: model none, file \[4\]"),
    "weights: of another width":     (lambda at: learner(model=simple_net(1, 5)).load(saved(at, simple_net(1, 4))),
                                      ValueError, r"0.bias: model \[5\], file \[4\]"),
    "weights: a pickle":             (lambda at: learner().load(written(at, pickle.dumps({}))), ValueError, "whole"),
    "weights: from torch.save":      (lambda at: learner().load(written(at, pickled())), ValueError,
                                      "files of torch.save are not read, since they can run code"),
    "weights: cut short":            (lambda at: learner().load(written(at, saved(at, linear(1, 1)).read_bytes()[:-1])),
                                      ValueError, "not a whole safetensors file"),
    "weights: not there":            (lambda at: learner().load(at / "no"), FileNotFoundError, "no"),
    "weights: a folder":             (lambda at: learner().load(at), IsADirectoryError, "this is a folder"),
    "weights: saved as a folder":    (lambda at: learner().save(at), IsADirectoryError, "name a file in it"),
    "weights: into no folder":       (lambda at: learner().save(at / "no" / "weights"), FileNotFoundError,
                                      "no such folder to write a file into.*no'"),
}
# fmt: on


@pytest.mark.filterwarnings("ignore:Image size:PIL.Image.DecompressionBombWarning")
@pytest.mark.filterwarnings("ignore:predictions have shape")
@pytest.mark.parametrize("situation", TABLE)
def test_the_reader_is_told(situation, tmp_path):
    act, error, words = TABLE[situation]
    before = torch.get_rng_state()
    with pytest.raises(error, match=words):
        act(tmp_path)
    assert not list(tmp_path.rglob("*.unfinished"))
    torch.set_rng_state(before)


# What the small rooms say, to the letter: readers search for these words.
SAID = [
    (lambda: mse(X, 1), "mse needs tensors, not Tensor and int; torch.as_tensor makes one of a list or an array"),
    (lambda: mse(1, X), "mse needs tensors, not int and Tensor; torch.as_tensor makes one of a list or an array"),
    (lambda: mse(CLASSES, CLASSES), "mse needs floating-point predictions, not torch.int64; .float() converts them"),
    (lambda: mse(X, X[1:]), "mse needs predictions and targets of one shape, not [9, 1] and [8, 1]"),
    (
        lambda: mnist_loss(X, X[:, 0]),
        (
            "mnist_loss needs predictions and targets of one shape, not [9, 1] and [9]; "
            "make the targets a column with targets.unsqueeze(1)"
        ),
    ),
    (
        lambda: batch_accuracy(X[:, 0], X),
        (
            "batch_accuracy needs predictions and targets of one shape, not [9] and "
            "[9, 1]; make the predictions a column with preds.unsqueeze(1)"
        ),
    ),
    (
        lambda: accuracy(X, 1),
        ("accuracy needs tensors, not Tensor and int; torch.as_tensor makes one of a list or an array"),
    ),
    (
        lambda: accuracy(1, X),
        ("accuracy needs tensors, not int and Tensor; torch.as_tensor makes one of a list or an array"),
    ),
    (lambda: accuracy(X, X), "accuracy needs predictions [N, K] and targets [N], not [9, 1] and [9, 1]"),
    (
        lambda: accuracy(X, X[:, 0]),
        ("accuracy compares scores of two or more classes; for one score an item use batch_accuracy"),
    ),
    (lambda: RunningMean().value, "the mean of no items: was the loader empty?"),
    (lambda: SGD(X, 0.1), "params must be a list of tensors; a single one is taken for a list of its rows: [params]"),
    (lambda: SGD([], 0.1), "no parameters to train; was model.parameters() walked already?"),
    (lambda: SGD([X, 1], 0.1), "a parameter must be a tensor, not int"),
    (lambda: SGD([X, X], 0.1), "a parameter comes twice in the list: each step would move it twice"),
    (lambda: SGD([X], 0.0), "the learning rate must be above 0 and finite, not 0.0"),
    (
        lambda: DataLoader([1], X),
        ("x must be a tensor, not list; torch.as_tensor makes one of an array, torch.stack one of a list of tensors"),
    ),
    (
        lambda: DataLoader(X, [1]),
        ("y must be a tensor, not list; torch.as_tensor makes one of an array, torch.stack one of a list of tensors"),
    ),
    (lambda: DataLoader(X, X[0, 0]), "y must have a first axis to cut batches from, but it is a scalar"),
    (lambda: DataLoader(X, X[1:]), "x and y must have one length, not 9 and 8: every input needs its target"),
    (lambda: DataLoader(X[:0], X[:0]), "the data set is empty: no batch can be made of it"),
    (lambda: DataLoader(X, X, "all"), "batch_size must be a whole number, not 'all'"),
    (lambda: DataLoader(X, X, 0), "batch_size must be 1 or more, not 0"),
    (lambda: DataLoader(X, X, 10, drop_last=True), "drop_last leaves no batch: 9 items are fewer than batch_size=10"),
    (
        lambda: l1_distance(X, 1),
        ("a distance needs tensors, not Tensor and int; torch.as_tensor makes one of a list or an array"),
    ),
    (
        lambda: l1_distance(1, X),
        ("a distance needs tensors, not int and Tensor; torch.as_tensor makes one of a list or an array"),
    ),
    (
        lambda: l1_distance(X, CLASSES[:, None]),
        (
            "distances need floating-point pixels, not torch.float32 and torch.int64: "
            "differences of unsigned bytes wrap around below 0; divide by 255 first"
        ),
    ),
    (lambda: l1_distance(X, X[:, 0]), "the last two axes must be one height and width, not [9, 1] and [9]"),
    (lambda: l1_distance(X[:, 0], X), "the last two axes must be one height and width, not [9] and [9, 1]"),
    (lambda: l1_distance(X, X[1:]), "the last two axes must be one height and width, not [9, 1] and [8, 1]"),
    (lambda: NearestMean("l2"), "distance must be 'l1' or 'rmse', not 'l2'"),
    (lambda: NearestMean().predict(IMAGES), "NearestMean knows no means yet; call fit(images, labels) first"),
    (lambda: NearestMean().fit(IMAGES, CLASSES), "fit needs images [N, H, W] and labels [N], not [2, 3, 3] and [9]"),
    (
        lambda: NearestMean().fit(IMAGES[:0], CLASSES[:0]),
        "fit needs images [N, H, W] and labels [N], not [0, 3, 3] and [0]",
    ),
    (lambda: NearestMean().fit(X, CLASSES), "fit needs images [N, H, W] and labels [N], not [9, 1] and [9]"),
    (lambda: NearestMean().fit(with_pixel(NAN), CLASSES[:2]), "the images of [1] hold NaN or infinite pixels"),
    (
        lambda: fitted().predict(IMAGES[0]),
        "images must be a stack [N, H, W], not [3, 3]; unsqueeze(0) makes one of one",
    ),
    (
        lambda: fitted().predict(IMAGES[None]),
        ("images must be a stack [N, H, W], not [1, 2, 3, 3]; unsqueeze(0) makes one of one"),
    ),
    (
        lambda: fitted().predict(IMAGES[..., :2]),
        ("the last two axes must be one height and width, not [2, 3, 2] and [2, 3, 3]"),
    ),
    (
        lambda: fitted().predict(IMAGES.double()),
        ("the images are torch.float64 and the means torch.float32; convert with .to(dtype)"),
    ),
    (lambda: fitted().predict(with_pixel(INF)), "image 1 holds NaN or infinite pixels: no mean is nearest to it"),
]


@pytest.mark.parametrize(("act", "words"), SAID, ids=[words for _, words in SAID])
def test_what_is_said_to_the_letter(act, words):
    with pytest.raises((RuntimeError, TypeError, ValueError)) as caught:
        act()
    assert str(caught.value) == words


# -- what is odd, and yet goes well -------------------------------------------------------------------


@pytest.mark.parametrize("label", range(10))
def test_files_that_are_no_images_and_odd_names_do_no_harm(tmp_path, label):
    folder = tmp_path / "my digits – 我的数字 [1]" / str(label)
    folder.mkdir(parents=True)
    names = ["a b.png", "ä.PNG", "数字.png", "C:\\9.png" if os.name != "nt" else "9.png", "007.png", "٣.png", "-1.png"]
    for name in names:
        (folder / name).write_bytes(png())
    for name in ("Thumbs.db", ".hidden.png", "notes.txt", "png"):
        (folder / name).write_text("no image")
    (folder.parent / ".git").mkdir()
    (folder.parent / "readme.png").write_text("beside the folders, not in one")
    read = from_folder(folder.parent)
    assert read.labels.tolist() == [label] * len(names)
    assert sorted(set(read.numbers.tolist())) in ([-1, 7], [-1, 7, 9])


def test_one_item_is_enough():
    learn = learner(X[:1], metrics=[mse])
    learn.fit(2, lr=0.1)
    assert learn.recorder["mse"] == learn.recorder["valid_loss"]
    assert learn.predict(X[:1]).shape == (1, 1)
    assert learn.predict(X[:0]).shape == (0, 1), "and none are predicted as none"


def test_a_last_batch_of_one_can_be_left_out():
    learn = learner(model=with_batch_norm(), drop_last=True)
    learn.fit(1, lr=0.1)
    assert len(learn.recorder.losses) == 2


@pytest.mark.parametrize("value", [0.5, True, 1, np.float32(0.5), np.float64(0.5), torch.tensor(0.5)])
def test_a_metric_may_return_any_one_number(value):
    learn = learner(metrics=[lambda preds, yb: value])
    assert learn.validate()[1] == float(value)


def test_a_loss_of_the_reader_s_own_that_would_broadcast_is_warned_of():
    def own(preds, yb):
        return ((preds - yb) ** 2).mean()

    with pytest.warns(UserWarning, match=r"\[4, 1\] and targets \[4\]: .* makes \[4, 4\]; .* unsqueeze\(1\)"):
        learner(y=X[:, 0], loss=own).fit(1, lr=0.1)


def test_errors_of_a_model_s_own_come_out_as_they_are():
    class Broken(nn.Linear):
        def forward(self, x):
            raise ValueError("mine")

    with pytest.raises(ValueError, match="^mine$"):
        learner(model=Broken(1, 1)).fit(1, lr=0.1)


def test_labels_that_are_neither_1_nor_0_count_as_no_number():
    scores = torch.zeros(3, 1, requires_grad=True)
    for targets in ([[1], [0], [3]], [[1.0], [0.0], [NAN]], [[1.0], [0.0], [0.5]]):
        assert mnist_loss(scores, torch.tensor(targets)).isnan()
        assert batch_accuracy(scores, torch.tensor(targets)).isnan()
    for targets in ([[1], [0], [1]], [[True], [False], [True]], [[1.0], [0.0], [1.0]]):
        assert mnist_loss(scores, torch.tensor(targets)) == 0.5
        assert batch_accuracy(scores, torch.tensor(targets)) == pytest.approx(1 / 3)


def test_weights_that_are_shared_within_a_model_are_saved_and_loaded(tmp_path):
    def tied():
        first, second = nn.Linear(1, 1), nn.Linear(1, 1)
        second.weight = first.weight
        return nn.Sequential(first, second)

    learn, other = learner(model=tied()), learner(model=tied())
    learn.fit(1, lr=0.1)
    other.load(learn.save(tmp_path / "tied"))
    assert torch.equal(learn.predict(X), other.predict(X))


# -- the archive --------------------------------------------------------------------------------------


def packed(**arrays) -> bytes:
    stream = io.BytesIO()
    np.savez_compressed(stream, **{name.replace("__", "/"): array for name, array in arrays.items()})
    return stream.getvalue()


IMAGE, NUMBER = np.zeros((1, 28, 28), np.uint8), np.zeros(1, np.uint16)


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(packed(train__3__images=IMAGE), id="members missing"),
        pytest.param(
            packed(**{f"{p}__{d}__images": IMAGE for p in ("train", "valid") for d in (3, 7)}), id="no numbers"
        ),
        pytest.param(
            packed(
                **{f"{p}__{d}__images": IMAGE.astype(float) for p in ("train", "valid") for d in (3, 7)},
                **{f"{p}__{d}__numbers": NUMBER for p in ("train", "valid") for d in (3, 7)},
            ),
            id="floating point",
        ),
        pytest.param(packed(train__3__images=np.array([{"code": "to run"}])), id="pickled objects"),
        pytest.param(zlib.compress(b"x"), id="another format"),
    ],
)
def test_an_archive_that_is_not_ours_is_refused(tmp_path, monkeypatch, content):
    archive = tmp_path / "mnistlib" / "_archive" / "mnist.npz"
    archive.parent.mkdir(parents=True)
    archive.write_bytes(content)
    monkeypatch.setattr(data.resources, "files", lambda package: tmp_path / package)
    for read in (mnist, mnist_sample):
        with pytest.raises(DamagedDataError, match=r"mnist\.npz cannot be read .* reinstall"):
            read()


def test_the_archive_is_packed_from_files_of_the_published_hash_only(tmp_path):
    pack = Path(data.__file__).parent / "_archive" / "pack.py"
    for name in ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"):
        (tmp_path / name).write_bytes(b"other digits")
    done = subprocess.run([sys.executable, str(pack), str(tmp_path)], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "train-images-idx3-ubyte: SHA-256 is" in done.stderr and "canonical file has ba8910" in done.stderr


# -- Ctrl-C -------------------------------------------------------------------------------------------


@pytest.fixture
def keyboard():
    """Ctrl-C interrupts, even where the tests run in the background, which tells processes to ignore it."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


class Press(Callback):
    """Press Ctrl-C at one event of the second epoch."""

    def __init__(self, event: str) -> None:
        setattr(self, event, self.press)

    def press(self, learn: Learner) -> None:
        if learn.epoch == 1 and learn.batch == (1 if learn.training else 2):
            signal.raise_signal(signal.SIGINT)


EVENTS = ["before_epoch", "before_batch", "after_pred", "after_loss", "after_backward", "after_step", "after_batch",
          "after_train", "before_validate", "after_validate", "after_epoch"]  # fmt: skip


@pytest.mark.usefixtures("keyboard")
@pytest.mark.parametrize("event", EVENTS)
def test_after_ctrl_c_training_goes_on_as_from_there(event, tmp_path):
    learn = learner(metrics=[mse])
    try:
        learn.fit(3, lr=0.1, cbs=Press(event))
    except KeyboardInterrupt:
        assert len(learn.recorder.losses) == len(learn.recorder.lrs) == len(learn.recorder.smooth_losses)
        assert len(learn.recorder.values) == (2 if event == "after_epoch" else 1)
    else:
        assert event in ("before_epoch", "after_train"), "these come where the batch is another one"
    fresh = learner(metrics=[mse])
    fresh.load(learn.save(tmp_path / "weights"))
    for each in (learn, fresh):
        each.fit(1, lr=0.1)
    assert torch.equal(learn.predict(X), fresh.predict(X)), "nothing of the interrupted step is left"
    assert learn.recorder.values == fresh.recorder.values
    assert plot.plot_loss(learn.recorder).lines


@pytest.mark.usefixtures("keyboard")
def test_ctrl_c_while_a_file_is_written_leaves_the_old_one(tmp_path):
    file = tmp_path / "weights"
    file.write_bytes(b"old")

    def write():
        with whole_file(file) as unfinished:
            unfinished.write_bytes(b"ne")
            signal.raise_signal(signal.SIGINT)

    with pytest.raises(KeyboardInterrupt):
        write()
    assert file.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [file]


# -- disks --------------------------------------------------------------------------------------------

MOUNTED = 'mkdir -p "$1" && mount -t tmpfs -o "$2" none "$1" && exec "$3" -c "$4" "$1"'


def on_a_disk(at: Path, options: str, code: str) -> str:
    """Run code with a disk of its own mounted at a folder, which nobody else sees; return what it printed."""
    command = ["unshare", "--user", "--map-root-user", "--mount", "sh", "-c", MOUNTED, "sh"]
    done = subprocess.run([*command, at, options, sys.executable, code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def disks(tmp_path_factory):
    try:
        on_a_disk(tmp_path_factory.mktemp("disk"), "size=64k", "")
    except (AssertionError, OSError):
        pytest.skip("no disk can be mounted here")


OPENING = """
import os, sys
from pathlib import Path
from mnistlib import *
disk = Path(sys.argv[1])
def attempt(act):
    try:
        print("gave", act())
    except Exception as error:
        print(type(error).__name__, error)
"""


def test_a_full_disk_is_said_and_leaves_nothing_behind(disks, tmp_path):
    code = """
attempt(lambda: sample_folder(disk / "sample"))
print(sorted(p.name for p in disk.iterdir() if not p.name.endswith(".lock")))
"""
    said, left = on_a_disk(tmp_path, "size=1m", OPENING + code).splitlines()
    assert said.startswith("OSError [Errno 28] cannot write the sample (the disk is full); pass another folder")
    assert left == "[]"


def test_weights_that_do_not_fit_on_the_disk_leave_the_old_ones(disks, tmp_path):
    code = """
import torch
data = DataLoader(torch.zeros(2, 784), torch.zeros(2, 1))
small, large = (Learner(DataLoaders(data, data), simple_net(n_hidden=n), mse, verbose=False) for n in (10, 400))
file = small.save(disk / "weights")
attempt(lambda: large.save(file))
small.load(file)
print(os.listdir(disk))
"""
    said, left = on_a_disk(tmp_path, "size=200k", OPENING + code).splitlines()
    assert said.startswith("OSError [Errno 28] No space left")
    assert left == "['weights']"


def test_a_cache_that_cannot_be_written_is_read_or_said(disks, tmp_path):
    code = """
os.environ["MNISTLIB_CACHE"] = str(disk)
sample = sample_folder()
read_only = lambda: os.system(f"mount -o remount,ro {disk}")
read_only()
attempt(sample_folder)
os.system(f"mount -o remount,rw {disk}")
(sample / "train/3/10.png").unlink()
read_only()
attempt(sample_folder)
attempt(lambda: sample_folder(disk / "another"))
"""
    whole, damaged, other = on_a_disk(tmp_path, "size=200m", OPENING + code).splitlines()
    assert whole == f"gave {tmp_path / 'mnist_sample'}"
    for said in (damaged, other):
        assert "cannot write the sample (Read-only file system); pass another folder" in said
        assert "MNISTLIB_CACHE" in said


# -- processes ----------------------------------------------------------------------------------------

needs_kill = pytest.mark.skipif(os.name == "nt", reason="Windows has no SIGKILL")


@pytest.fixture(scope="module")
def processes():
    """Make processes that have torch loaded already, where the system can."""
    if "forkserver" not in multiprocessing.get_all_start_methods():
        return multiprocessing.get_context("spawn")
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["mnistlib", "mnistlib.plot"])
    return context


def prepare(place, answers):
    answers.put(len(data._wrong_files(sample_folder(place), verify=True)))


@pytest.mark.slow
@pytest.mark.parametrize("n", [2, 8])
@pytest.mark.parametrize("damaged", [False, True], ids=["from nothing", "a damaged folder"])
def test_processes_may_ask_at_once(n, damaged, processes, folder, tmp_path):
    place = tmp_path / "the sample [1]"
    if damaged:
        shutil.copytree(folder, place)
        shutil.rmtree(place / "valid")
    answers = processes.Queue()
    askers = [processes.Process(target=prepare, args=(place, answers)) for _ in range(n)]
    for asker in askers:
        asker.start()
    assert [answers.get(timeout=300) for _ in askers] == [0] * n
    for asker in askers:
        asker.join()
        assert asker.exitcode == 0
    assert not list(tmp_path.rglob(".*.unfinished"))


def test_a_file_that_vanishes_while_the_folder_is_looked_through_does_no_harm(folder, tmp_path):
    place = tmp_path / "sample"
    shutil.copytree(folder, place)
    (place / "valid" / "3" / ".10.png.unfinished").symlink_to("gone")  # listed, but not there any more
    assert sample_folder(place) == place


def at_work(ready, act, *args) -> None:
    ready.set()
    act(*args)


def kill_within(processes, seconds: float, act, *args) -> None:
    """Let a process act, and kill it at some moment of the first seconds, if it has not finished by then."""
    ready = processes.Event()
    process = processes.Process(target=at_work, args=(ready, act, *args))
    process.start()
    assert ready.wait(60), "it had to import what this file does"
    process.join(seconds * random.random())
    process.kill()
    process.join()


def seconds_of(act) -> float:
    """Measure, so that the moments of killing are spread over all of the work on slow and fast machines."""
    start = time.perf_counter()
    act()
    return time.perf_counter() - start


@needs_kill
@pytest.mark.slow
def test_killed_while_writing_the_folder_the_next_run_is_whole(processes, tmp_path):
    place = tmp_path / "a sample [1]"
    whole = seconds_of(lambda: sample_folder(place))
    for _ in range(KILLS):
        shutil.rmtree(place)
        kill_within(processes, 1.2 * whole, sample_folder, place)
        assert not place.exists() or data._wrong_files(place, verify=True) == [], "whole or not at all"
        sample_folder(place)
        assert data._wrong_files(place, verify=True) == []
        assert not list(tmp_path.rglob(".*.unfinished")), "and the remains are cleared away"


@needs_kill
@pytest.mark.slow
def test_killed_while_repairing_the_folder_the_next_run_is_whole(processes, folder, tmp_path):
    place = tmp_path / "sample"
    shutil.copytree(folder, place)
    shutil.rmtree(place / "valid" / "7")
    whole = seconds_of(lambda: sample_folder(place))
    for _ in range(KILLS):
        shutil.rmtree(place / "valid" / "7")
        kill_within(processes, 1.2 * whole, sample_folder, place)
        for file in (place / "valid").rglob("[!.]*.png"):
            assert file.read_bytes() == (folder / file.relative_to(place)).read_bytes(), "each file is whole"
        sample_folder(place)
        assert data._wrong_files(place, verify=True) == []
        assert not list(tmp_path.rglob(".*.unfinished"))


def save_again_and_again(file: Path) -> None:
    learn = learner(model=simple_net(1, 500_000))
    while True:
        for value in (0.0, 1.0):
            for p in learn.params:
                p.data.fill_(value)
            learn.save(file)


@needs_kill
def test_killed_while_saving_weights_the_file_is_one_of_them(processes, tmp_path):
    learn = learner(model=simple_net(1, 500_000))
    for p in learn.params:
        p.data.fill_(1.0)
    file = learn.save(tmp_path / "weights")
    for _ in range(5 * KILLS):  # each takes little time
        kill_within(processes, 0.2, save_again_and_again, file)
        learn.load(file)
        assert {p.min().item() for p in learn.params} == {p.max().item() for p in learn.params}
        assert learn.params[0].max().item() in (0.0, 1.0)
