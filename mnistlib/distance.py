"""How far apart two images are, and a classifier that needs nothing more.

`l1_distance` and `rmse_distance` compare images pixel by pixel; broadcasting lets one call compare
a whole stack with one image.  `NearestMean` gives an image the class whose mean image is nearest.
"""

from typing import Literal, Self

import torch
from torch import Tensor

from mnistlib._check import are_tensors

__all__ = ["NearestMean", "l1_distance", "rmse_distance"]


def l1_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the mean absolute difference of images, over their last two axes.

    Parameters
    ----------
    a, b : Tensor
        Floating point, shapes ``[..., H, W]`` with one H and W; the axes before these broadcast.

    Returns
    -------
    Tensor
        Shape: the broadcast axes without the last two.  In the unit of the pixels, 0 for equal images.

    Raises
    ------
    TypeError
        If the pixels are integers: differences of uint8 wrap around below 0.
    ValueError
        If the images differ in height or width.

    Notes
    -----
    The L1 *norm* is the sum of absolute differences; this is that sum over the number of pixels.

    Examples
    --------
    >>> from mnistlib.data import mnist_sample
    >>> threes = mnist_sample().train.of(3).floats
    >>> print(f"{l1_distance(threes[1], threes.mean(0)):.4f}")
    0.1114
    >>> l1_distance(threes, threes.mean(0)).shape
    torch.Size([6131])
    """
    _check_images(a, b)
    return (a - b).abs().mean((-1, -2))


def rmse_distance(a: Tensor, b: Tensor) -> Tensor:
    """Return the root of the mean squared difference of images, over their last two axes.

    Parameters
    ----------
    a, b : Tensor
        As for `l1_distance`.

    Returns
    -------
    Tensor
        As from `l1_distance`; never smaller than it, since large differences weigh more.

    Raises
    ------
    TypeError, ValueError
        As `l1_distance` does.

    Notes
    -----
    The L2 *norm* is the root of the sum of squares; this is that norm over the root of the number of pixels.

    Examples
    --------
    >>> from mnistlib.data import mnist_sample
    >>> threes = mnist_sample().train.of(3).floats
    >>> print(f"{rmse_distance(threes[1], threes.mean(0)):.4f}")
    0.2021
    """
    _check_images(a, b)
    return ((a - b) ** 2).mean((-1, -2)).sqrt()


def _check_images(a: Tensor, b: Tensor) -> None:
    are_tensors("a distance", a, b)
    if not (a.is_floating_point() and b.is_floating_point()):
        raise TypeError(
            f"distances need floating-point pixels, not {a.dtype} and {b.dtype}: "
            "differences of unsigned bytes wrap around below 0; divide by 255 first"
        )
    if a.ndim < 2 or b.ndim < 2 or a.shape[-2:] != b.shape[-2:]:
        raise ValueError(f"the last two axes must be one height and width, not {list(a.shape)} and {list(b.shape)}")


class NearestMean:
    """Give each image the class whose mean training image is nearest.

    Parameters
    ----------
    distance : {"l1", "rmse"}
        Which distance decides.

    Attributes
    ----------
    classes : Tensor
        int64, shape ``[K]``: the labels met in `fit`, ascending.
    means : Tensor
        float32, shape ``[K, H, W]``: the mean image of each class.

    Examples
    --------
    >>> from mnistlib.data import mnist_sample
    >>> train, valid = mnist_sample()
    >>> model = NearestMean("l1").fit(train.floats, train.labels)
    >>> print(f"{(model.predict(valid.floats) == valid.labels).float().mean():.4f}")
    0.9514
    """

    def __init__(self, distance: Literal["l1", "rmse"] = "l1") -> None:
        if distance not in ("l1", "rmse"):
            raise ValueError(f"distance must be 'l1' or 'rmse', not {distance!r}")
        self.distance = distance
        self.classes: Tensor = torch.empty(0, dtype=torch.int64)
        self.means: Tensor = torch.empty(0)

    def fit(self, images: Tensor, labels: Tensor) -> Self:
        """Take the mean image of every class.

        Parameters
        ----------
        images : Tensor
            Floating point, shape ``[N, H, W]``, N at least 1.
        labels : Tensor
            Integers, shape ``[N]``.

        Raises
        ------
        TypeError
            If the pixels are integers.
        ValueError
            If there is no image, the labels do not fit the images, or a pixel is NaN or infinite.
        """
        if images.ndim != 3 or len(images) == 0 or labels.shape != images.shape[:1]:
            raise ValueError(
                f"fit needs images [N, H, W] and labels [N], not {list(images.shape)} and {list(labels.shape)}"
            )
        _check_images(images, images)
        classes = labels.unique()
        means = torch.stack([images[labels == label].mean(0) for label in classes])
        if not means.isfinite().all():  # one such pixel is enough to spoil a mean
            spoiled = classes[~means.isfinite().all((1, 2))].tolist()
            raise ValueError(f"the images of {spoiled} hold NaN or infinite pixels")
        self.classes, self.means = classes, means
        return self

    def distances(self, images: Tensor) -> Tensor:
        """Return how far each image is from each mean, shape ``[N, K]``.

        ``torch.cdist`` walks the pixels without storing the ``[N, K, H, W]`` differences that plain
        broadcasting makes: for 10,000 images and 10 means these are 300 MB.

        Raises
        ------
        RuntimeError
            If called before `fit`.
        TypeError, ValueError
            If the images do not fit the means in shape or dtype, or hold NaN or infinite pixels.
        """
        if not len(self.classes):
            raise RuntimeError("NearestMean knows no means yet; call fit(images, labels) first")
        _check_images(images, self.means)
        if images.ndim != 3:
            raise ValueError(
                f"images must be a stack [N, H, W], not {list(images.shape)}; unsqueeze(0) makes one of one"
            )
        if images.dtype != self.means.dtype:
            raise TypeError(f"the images are {images.dtype} and the means {self.means.dtype}; convert with .to(dtype)")
        rows, means = images.flatten(1), self.means.flatten(1)
        if self.distance == "l1":
            distances = torch.cdist(rows, means, p=1) / rows.shape[1]
        else:
            # The default turns |a-b|^2 into a^2 - 2ab + b^2, which is faster but loses digits when a is near b.
            distances = torch.cdist(rows, means, p=2, compute_mode="donot_use_mm_for_euclid_dist")
            distances = distances / rows.shape[1] ** 0.5
        if not distances.isfinite().all():  # the smallest of them would be the first class, whatever the image
            first = int((~distances.isfinite()).any(1).nonzero()[0])
            raise ValueError(f"image {first} holds NaN or infinite pixels: no mean is nearest to it")
        return distances

    def predict(self, images: Tensor) -> Tensor:
        """Return the label of the nearest mean, int64, shape ``[N]``; of equal distances the smaller label."""
        return self.classes[self.distances(images).argmin(1)]
