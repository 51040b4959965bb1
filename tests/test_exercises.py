"""The checker of exercises: right answers pass, and wrong ones are told what is wrong with them.

The wrong answers are written here as readers write them, not taken from the module's own table, which has
a test of its own.
"""

import inspect
import random
import re
from pathlib import Path

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from mnistlib.distance import l1_distance, rmse_distance
from mnistlib.exercises import EXERCISES, check
from mnistlib.losses import mnist_loss

BOOK = Path(__file__).parents[1] / "book"
TRAINS = "train_from_zero"  # 12,396 images for every case: tried less often
QUICK = sorted(EXERCISES.keys() - {TRAINS})


@pytest.fixture
def refused(capsys):
    """Return a function that gives what the checker says of a wrong answer, which must be one line."""

    def ask(name, answer) -> str:
        assert check(name, answer) is False
        lines = capsys.readouterr().out.splitlines()
        assert len(lines) == 1 and lines[0].startswith(f"{name}: ") and lines[0].endswith("."), lines
        return lines[0].removeprefix(f"{name}: ")

    return ask


@pytest.fixture(scope="module")
def means(sample):
    return {digit: sample.train.of(digit).floats.mean(0) for digit in (3, 7)}


# -- right answers ----------------------------------------------------------------------------------


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_the_solution_is_right(name, capsys):
    assert check(name, EXERCISES[name].solution) is True
    assert capsys.readouterr().out == f"{name}: right.\n"


def test_the_name_of_the_function_is_enough(capsys):
    def ink(image):
        return image.float().mean() / 255

    assert check(ink)
    assert capsys.readouterr().out == "ink: right.\n"


def box_by_numpy(image):
    rows, columns = np.nonzero(image.numpy())
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def slopes_one_by_one(f, x, h=0.001):
    slopes = []
    for i in range(len(x)):
        above, below = x.clone(), x.clone()
        above[i] += h
        below[i] -= h
        slopes.append((f(above) - f(below)).item() / (2 * h))
    return torch.tensor(slopes, dtype=x.dtype)


def scores_one_by_one(images, weights, bias):
    images = images if images.ndim == 3 else images[None]
    return torch.stack([(image.flatten() * weights[:, 0]).sum() + bias for image in images])


def half_of_the_solution(mean3, mean7):
    return (mean3 - mean7).reshape(784, 1), ((mean7**2 - mean3**2).sum() / 2).reshape(1)


def curve_over_common_denominator(params, mean, std):
    a, b, c = params
    parts = [a, b * std - 2 * a * mean, a * mean**2 - b * mean * std + c * std**2]
    return torch.stack(parts) / std**2


def tail_of_order(x, y, size, seed):
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    while len(order):
        yield [x[order[:size]], y[order[:size]]]
        order = order[size:]


def parts_by_slices(xb, yb, model, n_parts):
    size = len(xb) // n_parts
    for start in range(0, len(xb), size):
        rows = slice(start, start + size)
        mnist_loss(model(xb[rows]), yb[rows]).mul(size / len(xb)).backward()


class MovesWithRate:
    """The velocity holds the learning rate already, and .grad is filled with zeros."""

    def __init__(self, params, lr, momentum=0.9):
        self.moves = dict.fromkeys(params, 0.0)
        self.lr, self.momentum = lr, momentum

    @torch.no_grad()
    def step(self):
        for p in self.moves:
            self.moves[p] = self.momentum * self.moves[p] + self.lr * p.grad
            p.sub_(self.moves[p])

    def zero_grad(self):
        for p in self.moves:
            p.grad.zero_()


def until_by_validate(learn, goal, lr, max_epochs=50):
    n, reached = 0, 0.0
    while reached < goal and n < max_epochs:
        learn.fit(n_epochs=1, lr=lr)
        reached, n = learn.validate()[-1], n + 1
    return n


def merged_by_probing(first, second):
    """Ask both layers what they make of 0 and of each unit vector."""
    merged = nn.Linear(first.in_features, second.out_features)
    with torch.no_grad():
        merged.bias[:] = second(first(torch.zeros(first.in_features)))
        merged.weight[:] = (second(first(torch.eye(first.in_features))) - merged.bias).T
    return merged


def averaged_one_by_one(gradients, sizes):
    return sum(size * gradient for size, gradient in zip(sizes, gradients, strict=True)) / sum(sizes)


def bends_by_product(model, a, b):
    return (model[0](a) * model[0](b) < 0).sum()


@pytest.mark.parametrize(
    ("name", "answer"),
    [
        ("bounding_box", box_by_numpy),
        ("ink", lambda image: image.numpy().mean() / 255),
        ("ink", lambda image: image.sum() / 255 / image.numel()),
        ("ink_rule", lambda images, threshold: images.flatten(1).mean(dim=1) > threshold),
        ("read_at", lambda storage, offset, stride, index: storage[offset + int(np.dot(stride, index))].item()),
        ("distance_table", lambda images, means: torch.stack([l1_distance(images, mean) for mean in means], 1)),
        ("numerical_gradient", slopes_one_by_one),
        ("in_seconds", curve_over_common_denominator),
        ("linear_scores", scores_one_by_one),
        ("mean_weights", half_of_the_solution),
        ("sigmoid_slope", lambda scores: scores.sigmoid() - scores.sigmoid() ** 2),
        ("tensor_batches", tail_of_order),
        ("calc_grad_in_parts", parts_by_slices),
        ("MomentumSGD", MovesWithRate),
        ("fit_until", until_by_validate),
        ("merge_linear", merged_by_probing),
        ("count_bends", bends_by_product),
        ("convolve", lambda image, kernel: (image.unfold(0, 3, 1).unfold(1, 3, 1) * kernel).sum((-1, -2))),
        ("smooth_cross_entropy", lambda scores, targets, s: F.cross_entropy(scores, targets, label_smoothing=s)),
        ("speedup", lambda share, factor: 1 / (1 - share * (1 - 1 / factor))),
        ("average_gradients", averaged_one_by_one),
    ],
)
def test_another_right_answer_is_right_too(name, answer, capsys):
    assert check(name, answer), capsys.readouterr().out


# -- wrong answers, as readers write them -----------------------------------------------------------


def box_with_last_rows(image):
    rows, columns = (image > 0).nonzero().T
    return rows.min().item(), rows.max().item(), columns.min().item(), columns.max().item()


def box_of_tensors(image):
    rows, columns = (image > 0).nonzero().T
    return rows.min(), rows.max() + 1, columns.min(), columns.max() + 1


def box_from_columns(image):
    columns, rows = (image > 0).nonzero().T
    return rows.min().item(), rows.max().item() + 1, columns.min().item(), columns.max().item() + 1


def box_of_dark_ink(image):
    rows, columns = (image > 100).nonzero().T
    return rows.min().item(), rows.max().item() + 1, columns.min().item(), columns.max().item() + 1


def one_sided(f, x, h=0.001):
    slopes = torch.zeros_like(x)
    for i in range(len(x)):
        nudged = x.clone()
        nudged[i] += h
        slopes[i] = (f(nudged) - f(x)) / h
    return slopes


def two_sided_over(divide, dtype=None):
    def numerical_gradient(f, x, h=0.001):
        slopes = torch.zeros(len(x), dtype=dtype or x.dtype)
        for i in range(len(x)):
            nudge = torch.zeros_like(x)
            nudge[i] = h
            slopes[i] = divide(f(x + nudge) - f(x - nudge), h)
        return slopes

    return numerical_gradient


def nudges_in_place(f, x, h=0.001):
    slopes = torch.zeros_like(x)
    for i in range(len(x)):
        x[i] += h
        slopes[i] = f(x)
        x[i] -= 2 * h
        slopes[i] = (slopes[i] - f(x)) / (2 * h)
    return slopes


def by_autograd(f, x, h=0.001):
    x = x.clone().requires_grad_()
    f(x).backward()
    return x.grad


def curve(middle=2.0, first_over=2, constant=True):
    def in_seconds(params, mean, std):
        a, b, c = params
        last = a * mean**2 / std**2 - b * mean / std + c
        return torch.stack([a / std**first_over, b / std - middle * a * mean / std**2, last if constant else c])

    return in_seconds


def two_means(sign=1, factor=2, shape=(784, 1), bias_shape=(1,), reduce=torch.sum):
    def mean_weights(mean3, mean7):
        weights = factor * (mean3 - mean7).reshape(shape)
        return weights, sign * (reduce(mean7**2) - reduce(mean3**2)).reshape(bias_shape)

    return mean_weights


def trained(sample, start=torch.zeros, sign=-1, clear=True, reduce=torch.mean):
    x = sample.train.flat

    def train_from_zero(targets, steps=20, lr=1.0):
        weights, bias = start(784, 1).requires_grad_(), start(1).requires_grad_()
        for _ in range(steps):
            p = (x @ weights + bias).sigmoid()
            reduce((p - targets).abs()).backward()
            with torch.no_grad():
                weights += sign * lr * weights.grad
                bias += sign * lr * bias.grad
            if clear:
                weights.grad = bias.grad = None
        return weights, bias

    return train_from_zero


def batches_in_order(x, y, size, seed):
    for start in range(0, len(x), size):
        yield x[start : start + size], y[start : start + size]


def batches_with_ordered_targets(x, y, size, seed):
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    for start in range(0, len(x), size):
        yield x[order[start : start + size]], y[start : start + size]


def full_batches_only(x, y, size, seed):
    order = torch.randperm(len(x), generator=torch.Generator().manual_seed(seed))
    for i in range(len(x) // size):
        rows = order[i * size : (i + 1) * size]
        yield x[rows], y[rows]


def batches_by_global_seed(x, y, size, seed):
    torch.manual_seed(seed)
    order = torch.randperm(len(x))
    for start in range(0, len(x), size):
        yield x[order[start : start + size]], y[order[start : start + size]]


def parts_undivided(xb, yb, model, n_parts):
    for x_part, y_part in zip(xb.chunk(n_parts), yb.chunk(n_parts), strict=True):
        mnist_loss(model(x_part), y_part).backward()


def parts_of_n_images(xb, yb, model, n_parts):
    for x_part, y_part in zip(xb.split(n_parts), yb.split(n_parts), strict=True):
        (mnist_loss(model(x_part), y_part) * len(x_part) / len(xb)).backward()


def last_part_only(xb, yb, model, n_parts):
    for x_part, y_part in zip(xb.chunk(n_parts), yb.chunk(n_parts), strict=True):
        loss = mnist_loss(model(x_part), y_part) / n_parts
    loss.backward()


def never_backward(xb, yb, model, n_parts):
    return sum(mnist_loss(model(part), y) for part, y in zip(xb.chunk(n_parts), yb.chunk(n_parts), strict=True))


def momentum_like_torch(**options):
    """torch's own SGD, with one of its options set to another value."""
    return lambda params, lr, momentum=0.9: torch.optim.SGD(params, lr, momentum=momentum, **options)


class OneVelocity:
    def __init__(self, params, lr, momentum=0.9):
        self.params, self.lr, self.momentum, self.velocity = list(params), lr, momentum, 0.0

    def step(self):
        with torch.no_grad():
            for p in self.params:
                self.velocity = self.momentum * self.velocity + p.grad
                p -= self.lr * self.velocity

    def zero_grad(self):
        for p in self.params:
            p.grad = None


class KeepsGenerator(MovesWithRate):
    def __init__(self, params, lr, momentum=0.9):
        self.n = len(list(params))
        super().__init__(params, lr, momentum)


class StepsOutside(MovesWithRate):
    def step(self):
        for p in self.moves:
            p -= self.lr * p.grad


class WithoutClearing(MovesWithRate):
    def zero_grad(self):
        return


class NoZeroGrad:
    def __init__(self, params, lr, momentum=0.9):
        self.params = list(params)

    def step(self):
        return


def epochs_from_0(learn, goal, lr, max_epochs=50):
    for n in range(1, max_epochs + 1):
        learn.fit(1, lr)
        if learn.values[-1][-1] >= goal:
            return n - 1
    return max_epochs - 1


def epochs_above(learn, goal, lr, max_epochs=50):
    for n in range(1, max_epochs + 1):
        learn.fit(1, lr)
        if learn.values[-1][-1] > goal:
            return n
    return max_epochs


def epochs_by_third_column(learn, goal, lr, max_epochs=50):
    for n in range(1, max_epochs + 1):
        learn.fit(1, lr)
        if learn.values[-1][2] >= goal:
            return n
    return max_epochs


def epochs_by_rows(learn, goal, lr, max_epochs=50):
    while not learn.values or learn.values[-1][-1] < goal:
        learn.fit(1, lr)
        if len(learn.values) == max_epochs:
            break
    return len(learn.values)


def epochs_without_end(learn, goal, lr, max_epochs=50):
    n = 0
    while not learn.values or learn.values[-1][-1] < goal:
        learn.fit(1, lr)
        n += 1
    return n


def merged(weight, bias):
    def merge_linear(first, second):
        layer = nn.Linear(first.in_features, second.out_features)
        with torch.no_grad():
            layer.weight.copy_(weight(first, second))
            layer.bias.copy_(bias(first, second))
        return layer

    return merge_linear


def convolve_loops(pad=0):
    def convolve(image, kernel):
        image = F.pad(image, [pad] * 4)
        height, width = image.shape
        total = torch.zeros(height - 2, width - 2)
        for i in range(3):
            for j in range(3):
                total += kernel[i, j] * image[i : i + height - 2, j : j + width - 2]
        return total

    return convolve


def smooth(spread=lambda hot, s: hot * (1 - s) + s / hot.shape[1], log=lambda s: s.log_softmax(1), reduce=torch.mean):
    def smooth_cross_entropy(scores, targets, smoothing):
        hot = F.one_hot(targets, scores.shape[1])
        return reduce(-(spread(hot, smoothing) * log(scores)).sum(1))

    return smooth_cross_entropy


def scales_in_place(gradients, sizes):
    gradients *= (sizes / sizes.sum()).unsqueeze(1)
    return gradients.sum(0)


def product(first, second):
    return second.weight @ first.weight


WRONG = [
    ("bounding_box", box_with_last_rows, "one further than the last ink"),
    ("bounding_box", box_from_columns, "rows and columns are swapped"),
    ("bounding_box", box_of_dark_ink, "pale pixels are ink too"),
    ("bounding_box", box_of_tensors, "is a tensor where an int is wanted; .item()"),
    ("bounding_box", lambda image: list(box_by_numpy(image)), "is a list where a tuple is wanted"),
    ("bounding_box", lambda image: box_by_numpy(image)[:2], "holds 2 values where 4 are wanted"),
    (
        "bounding_box",
        lambda image: (0, 28, 0, 28),
        "for one dot at row 3, column 5, the result is (0, 28, 0, 28), not (3, 4, 5, 6)",
    ),
    ("ink", lambda image: image.float().mean(), "divide by 255"),
    ("ink", lambda image: image.float().sum() / 255, "the sum of the pixels, not their mean"),
    ("ink", lambda image: (image > 0).sum() / 784, "not only how many hold ink"),
    ("ink", lambda image: image.mean() / 255, "image.float() comes first"),
    ("ink", lambda image: image.float().mean(0) / 255, "is a tensor where a float is wanted"),
    ("nearest", lambda i, d: 7 if d(i, MEANS[3]) < d(i, MEANS[7]) else 3, "the smaller distance wins"),
    ("nearest", lambda i, d: 3 if l1_distance(i, MEANS[3]) < l1_distance(i, MEANS[7]) else 7, "always the L1"),
    ("nearest", lambda i, d: 3 if rmse_distance(i, MEANS[3]) < rmse_distance(i, MEANS[7]) else 7, "always the RMSE"),
    ("nearest", lambda i, d: bool(d(i, MEANS[3]) < d(i, MEANS[7])), "return the digit, 3 or 7"),
    ("ink_rule", lambda images, threshold: images.mean((1, 2)) >= threshold, "equal to the threshold"),
    ("ink_rule", lambda images, threshold: images.mean() > threshold, "one mean for the whole stack"),
    ("ink_rule", lambda images, threshold: images.mean((0, 1)) > threshold, "axis 0, the images"),
    ("ink_rule", lambda images, threshold: images.mean(1) > threshold, "one axis is left over"),
    ("ink_rule", lambda images, threshold: (images.mean((1, 2), keepdim=True) > threshold)[:, 0], "one axis too many"),
    ("ink_rule", lambda images, threshold: [i.mean() > threshold for i in images], "is a list where a tensor"),
    ("read_at", lambda m, o, s, i: m[sum(a * b for a, b in zip(s, i, strict=True))], "begin to count at `offset`"),
    ("read_at", lambda m, o, s, i: m[o + sum(a * b for a, b in zip(s, reversed(i), strict=True))], "of its own axis"),
    ("read_at", lambda m, o, s, i: m[o + s[0] * i[0] + s[1] * i[1]], "any number of axes"),
    ("read_at", lambda m, o, s, i: o + sum(a * b for a, b in zip(s, i, strict=True)), "not its place"),
    ("distance_table", lambda i, m: (i[:, None] - m).mean((-1, -2)), "differences of both signs cancel"),
    ("distance_table", lambda i, m: (i - m).abs().mean((-1, -2)), "each image must meet each mean"),
    ("distance_table", lambda i, m: (i - m[:, None]).abs().mean((-1, -2)), "[N, K], not [K, N]"),
    ("distance_table", lambda i, m: (i[:, None] - m).abs().sum((-1, -2)), "the sum over the pixels, not the mean"),
    ("distance_table", lambda i, m: (i[:, None] - m).pow(2).mean((-1, -2)).sqrt(), "that is the RMSE"),
    ("distance_table", lambda i, m: (i[:, None] - m).pow(2).mean((-1, -2)), "that squares the differences"),
    ("distance_table", lambda i, m: (i[:, None] - m).abs().mean((1, 2)), "average over the last two axes"),
    ("numerical_gradient", one_sided, "looks to one side only"),
    ("numerical_gradient", two_sided_over(lambda rise, h: rise / h), "divide by that"),
    ("numerical_gradient", two_sided_over(lambda rise, h: rise / 2 * h), "multiplies by h"),
    ("numerical_gradient", two_sided_over(lambda rise, h: rise / (2 * h), torch.float32), "float32 loses"),
    ("numerical_gradient", nudges_in_place, "changes `x`"),
    ("numerical_gradient", by_autograd, "exact slopes"),
    ("in_seconds", curve(middle=0), "has a middle term"),
    ("in_seconds", curve(middle=1), "counts twice"),
    ("in_seconds", curve(middle=-2), "is negative"),
    ("in_seconds", curve(first_over=1), "std with it"),
    ("in_seconds", curve(constant=False), "the last parameter changes too"),
    ("in_seconds", lambda p, m, s: [*curve()(p, m, s)], "torch.stack makes a tensor"),
    ("linear_scores", lambda i, w, b: i.view(-1, 784) @ w, "add the bias"),
    ("linear_scores", lambda i, w, b: i.view(len(i), 784) @ w + b, "raises RuntimeError"),
    ("linear_scores", lambda i, w, b: i.flatten(-2) @ w + b, "shape [1, 1]"),
    ("linear_scores", lambda i, w, b: i.view(-1, 784) @ w[:, 0] + b, "a column, [N, 1]"),
    ("linear_scores", lambda i, w, b: (i.view(-1, 784) @ w + b).sigmoid(), "without the sigmoid"),
    ("mean_weights", two_means(factor=-2, sign=-1), "positive near mean7"),
    ("mean_weights", two_means(sign=-1), "the bias has the wrong sign"),
    ("mean_weights", two_means(factor=1), "counts twice"),
    ("mean_weights", two_means(sign=0), "a bias of 0 will not do"),
    ("mean_weights", two_means(reduce=torch.mean), "a sum over the pixels, not a mean"),
    ("mean_weights", two_means(shape=(784,)), "a column, [784, 1]"),
    ("mean_weights", two_means(bias_shape=()), "the bias has shape [1]"),
    ("mean_weights", lambda m3, m7: torch.zeros(784, 1), "is a tensor where a tuple is wanted"),
    ("mean_weights", lambda m3, m7: (torch.zeros(784, 1), torch.zeros(1)), "result[0] is off in"),
    ("sigmoid_slope", lambda scores: scores.sigmoid(), "the sigmoid itself"),
    ("sigmoid_slope", lambda scores: scores * (1 - scores), "not the score"),
    ("sigmoid_slope", lambda scores: torch.exp(-scores) / (1 + torch.exp(-scores)) ** 2, "out of all bounds"),
    ("sigmoid_slope", lambda scores: (scores.sigmoid() * (1 - scores.sigmoid())).mean(), "that is their mean"),
    ("tensor_batches", batches_in_order, "the order is not random"),
    ("tensor_batches", batches_with_ordered_targets, "come apart"),
    ("tensor_batches", full_batches_only, "although it is smaller"),
    ("tensor_batches", batches_by_global_seed, "a generator of your own"),
    ("tensor_batches", lambda x, y, size, seed: list(tail_of_order(x, y, size, seed)), "is a list, not a generator"),
    ("tensor_batches", lambda x, y, size, seed: (xb for xb, _ in tail_of_order(x, y, size, seed)), "not a pair"),
    ("calc_grad_in_parts", parts_undivided, "n_parts times too large"),
    ("calc_grad_in_parts", parts_of_n_images, "chunk(n) makes n parts"),
    ("calc_grad_in_parts", last_part_only, "only the last part counts"),
    ("calc_grad_in_parts", never_backward, "leaves no gradients"),
    ("calc_grad_in_parts", lambda xb, yb, model, n: mnist_loss(model(xb), yb).backward(), "parts are [64], not [16"),
    ("MomentumSGD", lambda params, lr, momentum=0.9: torch.optim.SGD(params, lr), "it has no memory"),
    ("MomentumSGD", momentum_like_torch(maximize=True), "it climbs"),
    ("MomentumSGD", lambda params, lr, momentum=0.9: torch.optim.SGD(params, lr, momentum=0.9), "must use `momentum`"),
    ("MomentumSGD", lambda params, lr, momentum=0.9: torch.optim.SGD(params, lr, momentum=1), "multiply the velocity"),
    ("MomentumSGD", momentum_like_torch(nesterov=True), "after step 1 params[0] is [-1.9, -1.9], not [-1.0, -1.0]"),
    ("MomentumSGD", OneVelocity, "its own velocity"),
    ("MomentumSGD", KeepsGenerator, "nothing moves: keep list(params)"),
    ("MomentumSGD", StepsOutside, "raises RuntimeError: a leaf Variable that requires grad"),
    ("MomentumSGD", WithoutClearing, "zero_grad must clear"),
    ("MomentumSGD", NoZeroGrad, "raises AttributeError: 'NoZeroGrad' object has no attribute 'zero_grad'"),
    ("fit_until", epochs_from_0, "it returns 2 after training for 3 epochs"),
    ("fit_until", epochs_above, "equal to the goal"),
    ("fit_until", epochs_by_third_column, "row[-1]"),
    ("fit_until", epochs_by_rows, "it returns 4 after training for 2 epochs"),
    ("fit_until", epochs_without_end, "on and on"),
    ("merge_linear", merged(product, lambda first, second: second.bias), "the first bias counts too"),
    ("merge_linear", merged(product, lambda first, second: second.weight @ first.bias), "add the second bias"),
    ("merge_linear", lambda first, second: nn.Linear(first.in_features, second.out_features), "weights are random"),
    ("merge_linear", nn.Sequential, "where an nn.Linear is wanted"),
    ("merge_linear", lambda first, second: nn.Linear(3, 2, bias=False), "has no bias"),
    ("convolve", convolve_loops(pad=1), "[H - 2, W - 2]"),
    ("convolve", lambda image, kernel: convolve_loops()(image, kernel.flip(0).flip(1)), "not turned round"),
    ("convolve", lambda image, kernel: convolve_loops()(image, kernel) / kernel.numel(), "that takes their mean"),
    ("convolve", lambda image, kernel: convolve_loops()(image.T, kernel), "has shape [3, 2], not [2, 3]"),
    (
        "smooth_cross_entropy",
        smooth(lambda hot, s: hot * (1 - s) + (1 - hot) * s / (hot.shape[1] - 1)),
        "gets its share",
    ),
    ("smooth_cross_entropy", smooth(lambda hot, s: hot + s / hot.shape[1]), "before you share it"),
    ("smooth_cross_entropy", lambda scores, targets, s: F.cross_entropy(scores, targets), "must use `smoothing`"),
    ("smooth_cross_entropy", smooth(reduce=torch.sum), "not the sum"),
    ("smooth_cross_entropy", smooth(log=lambda scores: scores.softmax(1).log()), "softmax first gives 0"),
    ("speedup", lambda share, factor: (1 - share) + share / factor, "the old time divided by it"),
    ("speedup", lambda share, factor: share * factor + (1 - share), "add times, not factors"),
    ("speedup", lambda share, factor: 1 / (share * factor + 1 - share), "not share * factor"),
    ("speedup", lambda share, factor: factor, "not the whole"),
    ("speedup", lambda share, factor: factor / share if share else 1, "still takes its time"),
    ("speedup", lambda share, factor: 1 / (1 - share / factor), "and the rest 1 - share"),
    (
        "speedup",
        lambda share, factor: round(1 / (1 - share + share / factor), 1),
        "for a share of 0.5 and a factor of 2",
    ),
    ("average_gradients", lambda gradients, sizes: sum(gradients) / len(gradients), "that is the plain mean"),
    ("average_gradients", lambda gradients, sizes: (sizes[:, None] * gradients).sum(0), "divide by how many there are"),
    ("average_gradients", lambda gradients, sizes: sum(gradients), "a plain sum is too large"),
    ("average_gradients", lambda gradients, sizes: (sizes / sizes.sum())[:, None] * gradients, "not added up"),
    ("average_gradients", lambda gradients, sizes: (averaged_one_by_one(gradients, sizes)) / len(sizes), "a sum, not"),
    ("average_gradients", lambda gradients, sizes: (sizes[:, None] * gradients).mean(0), "all images, not by the"),
    ("average_gradients", lambda gradients, sizes: sizes / sizes.sum() * gradients, "has shape [2, 2], not [2]"),
    ("average_gradients", scales_in_place, "it changes `gradients`"),
    ("count_bends", lambda model, a, b: int((model[0](a) > 0).sum()), "at the first end"),
    ("count_bends", lambda model, a, b: model[0].out_features, "not every ReLU bends"),
    ("count_bends", lambda model, a, b: int(((model[0](a) > 0) == (model[0](b) > 0)).sum()), "count the others"),
    ("count_bends", lambda model, a, b: int((model(a) > 0) != (model(b) > 0)), "look at the hidden numbers"),
]
MEANS: dict[int, Tensor] = {}


@pytest.mark.parametrize(("name", "answer", "telling"), WRONG)
def test_a_wrong_answer_is_told_what_is_wrong(name, answer, telling, refused, means):
    MEANS.update(means)
    assert telling in refused(name, answer)


@pytest.mark.parametrize(
    ("options", "telling"),
    [
        ({"start": torch.randn}, "begin at 0"),
        ({"sign": 1}, "it climbs"),
        ({"clear": False}, "clear it after each step"),
        ({"reduce": torch.sum}, "a mean over the images, not a sum"),
    ],
)
def test_training_that_is_wrong_is_told_what_is_wrong(options, telling, refused, sample):
    assert telling in refused(TRAINS, trained(sample, **options))


def test_training_with_another_right_formula(sample):
    assert check(TRAINS, trained(sample))


def test_three_wrong_answers_or_more_are_tried_for_every_exercise():
    tried = [name for name, _, _ in WRONG] + [TRAINS] * 4
    assert set(tried) == set(EXERCISES)
    assert min(tried.count(name) for name in EXERCISES) >= 3


@pytest.mark.parametrize(
    ("name", "words"), [(name, words) for name in QUICK for words in EXERCISES[name].misconceptions]
)
def test_each_misconception_is_named_and_not_taken_for_another(name, words, refused):
    assert refused(name, EXERCISES[name].misconceptions[words]).startswith(f"{words}. For ")


@pytest.mark.slow
@pytest.mark.parametrize("words", EXERCISES[TRAINS].misconceptions)
def test_each_misconception_of_training_is_named(words, refused):
    assert refused(TRAINS, EXERCISES[TRAINS].misconceptions[words]).startswith(f"{words}. For ")


def test_two_mistakes_at_once_are_shown_by_value(refused):
    """No misconception explains the answer, so none is named."""
    text = refused("ink", lambda image: 0.5 * image.float().sum())
    assert text == "for an image full of ink, the result is 99960.0, not 1.0."


# -- whatever an answer does, the checker does not fall -----------------------------------------------

ODD = [
    None, True, 3, 3.5, float("nan"), float("inf"), 1j, "text", b"bytes", [], (), {}, object(), int,
    [None] * 4, (None, None), (3, 25, 5, float("nan")), np.zeros(3), np.float32(1.0),
    torch.zeros(()), torch.tensor(float("nan")), torch.zeros(0), torch.ones(3, 4), torch.ones(3, dtype=torch.complex64),
    (torch.zeros(784, 1), torch.zeros(1)), torch.zeros(3, requires_grad=True), torch.eye(3).to_sparse(), nn.ReLU(),
]  # fmt: skip


@pytest.mark.parametrize("name", QUICK)
def test_odd_values_are_refused_in_one_line(name, refused):
    for value in ODD:
        refused(name, lambda *args, value=value, **options: value)


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_an_error_of_the_answer_is_reported(name, refused):
    def answer(*args, **options):
        raise KeyError("ouch\nand a second line")

    assert "it raises KeyError: 'ouch" in refused(name, answer)


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_forgotten_return(name, refused):
    text = refused(name, lambda *args, **options: None)
    assert re.search(r"None|no gradients", text)


@pytest.mark.parametrize("name", sorted(EXERCISES))
def test_other_parameters_are_refused(name, refused):
    wanted = ", ".join(inspect.signature(EXERCISES[name].solution).parameters)
    text = refused(name, lambda: None)
    assert text.startswith("it must take (") and re.sub(r"=[^,)]*", "", text) == f"it must take ({wanted})."


def test_a_parameter_with_another_default_s_name_is_refused(refused):
    assert refused("numerical_gradient", lambda f, x, step=0.1: x) == "it must take (f, x, h=0.001)."


def test_what_is_no_function_is_refused(refused):
    assert refused("ink", 0.1424) == "the answer is a float, not a function."
    assert refused("ink", None) == "the answer is None, not a function."


@pytest.mark.parametrize("name", ["bounding-box", "", "_box"])
def test_an_unknown_name_lists_all_exercises(name):
    with pytest.raises(ValueError, match="no exercise is called") as raised:
        check(name, len)
    assert all(known in str(raised.value) for known in EXERCISES)


def test_a_function_of_another_name_is_told_how_to_name_the_exercise():
    with pytest.raises(ValueError, match="'<lambda>'; put the exercise's name first"):
        check(lambda image: 0)
    with pytest.raises(ValueError, match=r"needs the function itself, as in check\(ink\); this is a float"):
        check(0.1424)


# -- nothing is left behind -------------------------------------------------------------------------


WITHOUT_TENSORS = {"MomentumSGD", "fit_until", "merge_linear", "speedup"}  # among their arguments


@pytest.mark.parametrize("name", [name for name in QUICK if name not in WITHOUT_TENSORS])
def test_spoiling_the_input_is_reported_and_does_no_harm(name, refused):
    solution = EXERCISES[name].solution

    def spoil(*args, **options):
        for arg in args:
            if isinstance(arg, Tensor):
                arg.fill_(1)
        return solution(*args, **options)

    assert "which belongs to the caller" in refused(name, spoil)
    assert check(name, solution)


def test_spoiling_a_layer_is_reported(refused):
    def merge_linear(first, second):
        with torch.no_grad():
            first.weight.zero_()
        return EXERCISES["merge_linear"].solution(first, second)

    assert "changes `first`" in refused("merge_linear", merge_linear)


@pytest.mark.parametrize("name", QUICK)
def test_random_numbers_go_on_as_if_nothing_had_happened(name):
    def answer(*args, **options):
        torch.manual_seed(5), random.seed(5), np.random.seed(5)
        return torch.rand(3)

    def next_numbers():
        return torch.rand(2).tolist(), random.random(), np.random.rand()

    states = torch.get_rng_state(), random.getstate(), np.random.get_state()
    expected = next_numbers()
    for attempt in (answer, EXERCISES[name].solution):
        torch.set_rng_state(states[0]), random.setstate(states[1]), np.random.set_state(states[2])
        check(name, attempt)
        assert next_numbers() == expected


def test_the_verdict_does_not_depend_on_random_numbers(refused):
    def guess(image):
        return torch.rand(()).item()

    assert refused("ink", guess) == refused("ink", guess)


def test_gradients_are_recorded_for_answers_even_where_the_reader_switched_them_off():
    with torch.no_grad():
        assert check("calc_grad_in_parts", EXERCISES["calc_grad_in_parts"].solution)
        assert not torch.is_grad_enabled()


# -- the pages --------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def exercise_sections():
    if not BOOK.is_dir():
        pytest.skip("the book is not here")
    pages = {page.relative_to(BOOK).with_suffix("").as_posix(): page for page in BOOK.glob("*/*.md")}
    texts = {name: page.read_text(encoding="utf-8").partition("\n## Exercises\n")[2] for name, page in pages.items()}
    return {name: text for name, text in texts.items() if text}


def test_each_exercise_stands_on_its_page_and_on_no_other(exercise_sections):
    sentence = re.compile(r"Check it: `from mnistlib\.exercises import check`, then `check\((\w+)\)`\.")
    on_pages = [(found, page) for page, text in exercise_sections.items() for found in sentence.findall(text)]
    assert sorted(on_pages) == sorted((name, exercise.page) for name, exercise in EXERCISES.items())


def test_each_solution_on_a_page_is_checked_there(exercise_sections):
    for name, exercise in EXERCISES.items():
        section = exercise_sections[exercise.page]
        assert section.count(f"assert check({name})\n") == 1, f"{exercise.page}: the solution of {name} is not checked"


def test_each_function_that_a_lesson_asks_for_can_be_checked(exercise_sections):
    """The further pages ask for larger things, and bring their own tests; so does an exercise that trains a network."""
    asks = re.compile(r"\bWrite\**(?: a function| a class)? `(\w+)\(")
    lessons = {page: text for page, text in exercise_sections.items() if not page.startswith("further/")}
    asked = {(name, page) for page, text in lessons.items() for name in asks.findall(text)}
    missing = asked - {(name, exercise.page) for name, exercise in EXERCISES.items()}
    assert missing <= {("held_out_accuracy", "classifier/deeper")}, "add them to mnistlib/exercises.py"
