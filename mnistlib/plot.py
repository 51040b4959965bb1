"""Pictures: digits, weights, functions, losses, confusion.  Needs matplotlib (``pip install "mnistlib[plot]"``).

Every function draws on axes that you give or on new ones, and returns them; nothing is shown or saved.
Words in a picture are arguments, so that they can be in any language.
"""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import torch
from torch import Tensor

try:
    import matplotlib.pyplot as plt
    from matplotlib.axes import Axes
except ImportError as error:
    raise ImportError('mnistlib.plot needs matplotlib; install it with: pip install "mnistlib[plot]"') from error

if TYPE_CHECKING:
    from pandas.io.formats.style import Styler

    from mnistlib.learner import Recorder

__all__ = [
    "confusion_counts",
    "pixel_table",
    "plot_function",
    "plot_loss",
    "show_confusion",
    "show_image",
    "show_images",
    "show_signed",
]


def show_image(image: Tensor, title: str = "", ax: Axes | None = None) -> Axes:
    """Draw one gray image, ink dark on light.

    Parameters
    ----------
    image : Tensor
        Shape ``[H, W]``; uint8 from 0 to 255, or floating point from 0 to 1.  High values are drawn dark.
    title : str
        Written above.
    ax : Axes, optional
        Where to draw.

    Raises
    ------
    ValueError
        If the image has not two axes.

    Examples
    --------
    >>> from mnistlib.data import mnist_sample
    >>> ax = show_image(mnist_sample().train.images[1], title="a three")
    >>> ax.get_title()
    'a three'
    """
    if image.ndim != 2:
        raise ValueError(f"show_image draws one image [H, W], not a tensor of shape {list(image.shape)}")
    ax = _axes(ax, size=1.8)
    top = 1 if image.is_floating_point() else 255
    ax.imshow(image.detach().cpu().numpy(), cmap="gray_r", vmin=0, vmax=top, interpolation="nearest")
    return _bare(ax, title)


def show_images(images: Tensor | Sequence[Tensor], titles: Sequence[str] = (), columns: int = 8) -> list[Axes]:
    """Draw several gray images in rows.

    Parameters
    ----------
    images : Tensor or sequence of Tensor
        Each as for `show_image`.
    titles : sequence of str
        One an image, or none.
    columns : int
        How many stand in a row.

    Raises
    ------
    ValueError
        If there is no image, or the titles are not as many as the images.

    Examples
    --------
    >>> from mnistlib.data import mnist_sample
    >>> len(show_images(mnist_sample().train.images[:10], columns=5))
    10
    """
    if not len(images) or (titles and len(titles) != len(images)):
        raise ValueError(f"show_images needs images and as many titles or none, not {len(images)} and {len(titles)}")
    columns = min(columns, len(images))
    rows = -(-len(images) // columns)
    height = 1.15 if titles else 0.95
    figure, grid = plt.subplots(rows, columns, figsize=(0.95 * columns, height * rows), squeeze=False)
    for ax in grid.flat:
        ax.axis("off")
    drawn = list(grid.flat)[: len(images)]
    for i, ax in enumerate(drawn):
        show_image(images[i], titles[i] if titles else "", ax)
        ax.title.set_fontsize("small")
    figure.tight_layout(pad=0.3)
    return drawn


def show_signed(image: Tensor, title: str = "", ax: Axes | None = None, limit: float | None = None) -> Axes:
    """Draw an image of positive and negative values: red above 0, blue below, white at 0.

    Parameters
    ----------
    image : Tensor
        Shape ``[H, W]``; weights, or the difference of two images.
    title : str
        Written above.
    ax : Axes, optional
        Where to draw.
    limit : float, optional
        The value of full color, both ways; without it the largest magnitude in the image.

    Examples
    --------
    >>> ax = show_signed(torch.tensor([[-1.0, 0.0, 2.0]]))
    >>> ax.images[0].get_clim()
    (-2.0, 2.0)
    """
    if image.ndim != 2:
        raise ValueError(f"show_signed draws one image [H, W], not a tensor of shape {list(image.shape)}")
    ax = _axes(ax, size=1.8)
    image = image.detach().cpu()
    limit = limit or float(image.abs().max()) or 1.0
    ax.imshow(image.numpy(), cmap="RdBu_r", vmin=-limit, vmax=limit, interpolation="nearest")
    return _bare(ax, title)


def pixel_table(image: Tensor, top: int = 0, left: int = 0) -> "Styler":
    """Return the numbers of an image as a table whose cells are shaded by value.

    Needs pandas and jinja2 as well.

    Parameters
    ----------
    image : Tensor
        uint8, shape ``[H, W]``.
    top, left : int
        The numbers of the first row and column, where the image is a part of a larger one.

    Examples
    --------
    >>> from mnistlib.data import mnist_sample
    >>> table = pixel_table(mnist_sample().train.images[1, 4:15, 4:22], top=4, left=4)
    >>> table.data.shape, int(table.data.loc[6, 7])
    ((11, 18), 48)
    """
    import pandas as pd  # here, since it takes most of a second and nothing else needs it

    pixels = image.cpu().numpy()
    height, width = pixels.shape
    table = pd.DataFrame(pixels, range(top, top + height), range(left, left + width))
    return table.style.background_gradient("Greys", axis=None, vmin=0, vmax=255)


def plot_function(
    f: Callable[[Tensor], Tensor],
    low: float = -2.0,
    high: float = 2.0,
    xlabel: str = "x",
    ylabel: str = "f(x)",
    ax: Axes | None = None,
) -> Axes:
    """Draw a function of one number.

    Parameters
    ----------
    f : callable
        Takes and returns a tensor of shape ``[N]``.
    low, high : float
        Where the drawing begins and ends.
    xlabel, ylabel : str
        Names of the axes.
    ax : Axes, optional
        Where to draw.

    Examples
    --------
    >>> ax = plot_function(lambda x: x**2)
    >>> ax.get_xlabel(), ax.get_ylabel()
    ('x', 'f(x)')
    """
    ax = _axes(ax)
    x = torch.linspace(low, high, 201)
    with torch.no_grad():
        ax.plot(x.numpy(), f(x).numpy())
    ax.set(xlabel=xlabel, ylabel=ylabel)
    return ax


def plot_loss(
    recorder: "Recorder",
    labels: tuple[str, str] = ("training batches", "validation"),
    xlabel: str = "epoch",
    ylabel: str = "loss",
    ax: Axes | None = None,
) -> Axes:
    """Draw the losses that a Learner recorded: every training batch, and the validation loss of each epoch.

    Parameters
    ----------
    recorder : Recorder
        After a `fit`.
    labels : tuple of str
        Names of the two lines.
    xlabel, ylabel : str
        Names of the axes.
    ax : Axes, optional
        Where to draw.

    Raises
    ------
    ValueError
        If no epoch was recorded.

    Examples
    --------
    >>> from mnistlib.learner import Recorder
    >>> recorder = Recorder()
    >>> recorder.names, recorder.values, recorder.losses = ["train_loss", "valid_loss"], [[0.4, 0.3]], [0.5, 0.4]
    >>> plot_loss(recorder).get_ylabel()
    'loss'
    """
    if not recorder.values:
        raise ValueError("nothing recorded yet: fit the Learner first")
    ax = _axes(ax)
    epochs = len(recorder.values)
    steps = torch.arange(1, len(recorder.losses) + 1) * (epochs / len(recorder.losses))
    ax.plot(steps.numpy(), recorder.losses, alpha=0.5, linewidth=1, label=labels[0])
    ax.plot(range(1, epochs + 1), recorder["valid_loss"], marker="o", label=labels[1])
    ax.set(xlabel=xlabel, ylabel=ylabel)
    ax.legend()
    return ax


def confusion_counts(preds: Tensor, targets: Tensor, n_classes: int) -> Tensor:
    """Count what was taken for what.

    Parameters
    ----------
    preds, targets : Tensor
        Class indices 0 to K-1, shape ``[N]``.
    n_classes : int
        K.

    Returns
    -------
    Tensor
        int64, shape ``[K, K]``: row for the true class, column for the predicted one.

    Examples
    --------
    >>> confusion_counts(torch.tensor([0, 1, 1]), torch.tensor([0, 0, 1]), 2)
    tensor([[1, 1],
            [0, 1]])
    """
    if preds.shape != targets.shape or preds.ndim != 1:
        raise ValueError(f"predictions and targets must both be [N], not {list(preds.shape)} and {list(targets.shape)}")
    for name, values in (("predictions", preds), ("targets", targets)):
        if len(values) and not (values.min() >= 0 and values.max() < n_classes):  # it would be counted in another row
            raise ValueError(f"the {name} must lie in 0 to {n_classes - 1}, not {values.min()} to {values.max()}")
    return torch.bincount(targets * n_classes + preds, minlength=n_classes**2).reshape(n_classes, n_classes)


def show_confusion(
    counts: Tensor,
    classes: Sequence[str],
    xlabel: str = "predicted",
    ylabel: str = "true",
    ax: Axes | None = None,
) -> Axes:
    """Draw a confusion matrix: a number in every cell, mistakes shaded by how often they happen.

    Parameters
    ----------
    counts : Tensor
        From `confusion_counts`.
    classes : sequence of str
        A name for each class.
    xlabel, ylabel : str
        Names of the axes.
    ax : Axes, optional
        Where to draw.

    Examples
    --------
    >>> ax = show_confusion(torch.tensor([[9, 1], [0, 10]]), ["3", "7"])
    >>> [text.get_text() for text in ax.texts]
    ['9', '1', '0', '10']
    """
    ax = _axes(ax, size=0.5 * len(classes) + 1.2)
    mistakes = counts.clone().fill_diagonal_(0).float()
    ax.imshow(mistakes.numpy(), cmap="Oranges", vmin=0, vmax=max(1.0, 1.6 * float(mistakes.max())))
    for row in range(len(counts)):
        for column in range(len(counts)):
            # black stays black in a dark theme: the cells under it stay light
            ax.text(column, row, str(int(counts[row, column])), ha="center", va="center", fontsize=8, color="#111111")
    ticks = range(len(classes))
    ax.set(xticks=ticks, yticks=ticks, xticklabels=classes, yticklabels=classes, xlabel=xlabel, ylabel=ylabel)
    return ax


def _axes(ax: Axes | None, size: float | None = None) -> Axes:
    if ax is not None:
        return ax
    return plt.subplots(figsize=(size, size) if size else None)[1]


def _bare(ax: Axes, title: str) -> Axes:
    """Take away ticks and frame; write the title if there is one."""
    ax.set_xticks([])
    ax.set_yticks([])
    for spine in ax.spines.values():
        spine.set_visible(False)
    if title:
        ax.set_title(title)
    return ax
