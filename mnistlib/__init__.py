"""MNIST embedded, and the small plain pieces that learn to read it.

The rooms of this house, each a module that reads in a few minutes:

======================  ======================================================
`mnistlib.data`         the images, as tensors or as a folder of PNG files
`mnistlib.distance`     how far apart images are; the nearest mean
`mnistlib.loader`       mini-batches
`mnistlib.models`       linear, one hidden layer, a small convolutional net
`mnistlib.losses`       what training lowers
`mnistlib.metrics`      what people read
`mnistlib.optimizer`    how parameters move
`mnistlib.learner`      the training loop and those who listen to it
`mnistlib.compiled`     a training step as one compiled function
`mnistlib.distributed`  one training in several processes
`mnistlib.plot`         pictures (needs matplotlib)
`mnistlib.exercises`    the exercises of the lessons, which check themselves
`mnistlib.runtime`      device and seed
======================  ======================================================
"""

from importlib.metadata import PackageNotFoundError, version

from mnistlib.data import Digits, Parts, from_folder, mnist, mnist_sample, sample_folder
from mnistlib.distance import NearestMean, l1_distance, rmse_distance
from mnistlib.distributed import process_group
from mnistlib.learner import Callback, Checkpoint, Learner, StopFitError
from mnistlib.loader import DataLoader, DataLoaders
from mnistlib.losses import mnist_loss, mse
from mnistlib.metrics import accuracy, batch_accuracy
from mnistlib.models import conv_net, linear, simple_net
from mnistlib.optimizer import SGD
from mnistlib.runtime import default_device, set_seed

try:
    __version__ = version("mnistlib")
except PackageNotFoundError:  # the folder is used as it is, without installing
    __version__ = "0"

__all__ = [
    "SGD",
    "Callback",
    "Checkpoint",
    "DataLoader",
    "DataLoaders",
    "Digits",
    "Learner",
    "NearestMean",
    "Parts",
    "StopFitError",
    "accuracy",
    "batch_accuracy",
    "conv_net",
    "default_device",
    "from_folder",
    "l1_distance",
    "linear",
    "mnist",
    "mnist_loss",
    "mnist_sample",
    "mse",
    "process_group",
    "rmse_distance",
    "sample_folder",
    "set_seed",
    "simple_net",
]
