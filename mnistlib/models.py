"""Models: each takes images as rows of 784 pixels and returns raw scores."""

import torch
from torch import Tensor, nn

__all__ = ["conv_net", "linear", "simple_net"]


class Linear(nn.Linear):
    """`torch.nn.Linear` for many inputs and few outputs: the same product, the other way round.

    A library that multiplies matrices works along the rows of its result.  Written as images times outputs, a
    result of 256 by 30 has short ones; turned over, long ones.  The numbers are the same but for rounding, and so are
    the parameters; on the machine of the page on speed the forward pass takes two thirds of the time.
    """

    def forward(self, x: Tensor) -> Tensor:
        if x.ndim != 2:  # one image, or more axes
            return super().forward(x)
        return torch.addmm(self.bias.unsqueeze(1), self.weight, x.t()).t()


def linear(n_in: int = 784, n_out: int = 1) -> nn.Module:
    """Return one weight for each pixel and output, and a bias for each output.

    Parameters
    ----------
    n_in, n_out : int
        Number of pixels and of scores.

    Examples
    --------
    >>> [tuple(p.shape) for p in linear().parameters()]
    [(1, 784), (1,)]
    """
    return nn.Linear(n_in, n_out)


def simple_net(n_in: int = 784, n_hidden: int = 30, n_out: int = 1) -> nn.Sequential:
    """Return two linear layers with a ReLU between them.

    Parameters
    ----------
    n_in, n_hidden, n_out : int
        Number of pixels, of activations between the layers, and of scores.

    Examples
    --------
    >>> sum(p.numel() for p in simple_net().parameters())
    23581
    """
    return nn.Sequential(Linear(n_in, n_hidden), nn.ReLU(), nn.Linear(n_hidden, n_out))


def conv_net(n_out: int = 1, widths: tuple[int, ...] = (8, 16, 32, 64)) -> nn.Sequential:
    """Return a small convolutional net: each layer looks at 3x3 patches and halves the picture's side.

    Every convolution is followed by a 2x2 maximum, batch normalization and a ReLU; at the end each
    channel is averaged over what is left of the picture.

    Parameters
    ----------
    n_out : int
        Number of scores.
    widths : tuple of int
        Channels of each layer; at most 4 layers, since 28 can be halved four times.

    Raises
    ------
    ValueError
        If there is no layer, or more than the picture has room for.

    Examples
    --------
    >>> import torch
    >>> conv_net(n_out=10)(torch.zeros(2, 784)).shape
    torch.Size([2, 10])
    >>> sum(p.numel() for p in conv_net().parameters())
    24569
    """
    if not 1 <= len(widths) <= 4:
        raise ValueError(f"conv_net needs 1 to 4 layers, not {len(widths)}")
    layers: list[nn.Module] = [nn.Unflatten(1, (1, 28, 28))]
    for n_in, n in zip((1, *widths), widths, strict=False):
        # The maximum comes first, so that the rest of the layer works on a quarter of the numbers.
        layers += [nn.Conv2d(n_in, n, 3, padding=1, bias=False), nn.MaxPool2d(2), nn.BatchNorm2d(n), nn.ReLU()]
    layers += [nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(widths[-1], n_out)]
    # The channels of a pixel lie side by side in memory: the same results, in half the time on a CPU.
    return nn.Sequential(*layers).to(memory_format=torch.channels_last)
