"""Distances and the nearest mean against closed forms, torch and scikit-learn."""

import pytest
import torch
import torch.nn.functional as F
from hypothesis import given
from hypothesis import strategies as st
from sklearn.neighbors import NearestCentroid
from torch.utils import _pytree as pytree
from torch.utils._python_dispatch import TorchDispatchMode

from mnistlib.data import mnist
from mnistlib.distance import NearestMean, l1_distance, rmse_distance


@pytest.fixture(scope="module")
def means(sample):
    return {digit: sample.train.of(digit).floats.mean(0) for digit in (3, 7)}


def test_the_chapter_s_four_distances(sample, means):
    three = sample.train.of(3).floats[1]
    found = [f"{d(three, means[k]):.4f}" for k in (3, 7) for d in (l1_distance, rmse_distance)]
    assert found == ["0.1114", "0.2021", "0.1586", "0.3021"]
    assert torch.isclose(l1_distance(three, means[3]), F.l1_loss(three, means[3]))
    assert torch.isclose(rmse_distance(three, means[3]), F.mse_loss(three, means[3]).sqrt())


def test_the_chapter_s_accuracies(sample, means):
    def is_3(images):
        return l1_distance(images, means[3]) < l1_distance(images, means[7])

    on_3s = is_3(sample.valid.of(3).floats).float().mean()
    on_7s = (~is_3(sample.valid.of(7).floats)).float().mean()
    assert [f"{value:.4f}" for value in (on_3s, on_7s, (on_3s + on_7s) / 2)] == ["0.9168", "0.9854", "0.9511"]


@given(st.integers(0, 4), st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_shapes_and_values_for_any_stack(n, height, width, seed):
    torch.manual_seed(seed)
    a, b = torch.rand(n, height, width), torch.rand(height, width)
    l1, rmse = l1_distance(a, b), rmse_distance(a, b)
    assert l1.shape == rmse.shape == (n,)
    for i in range(n):
        assert torch.isclose(l1[i], F.l1_loss(a[i], b))
        assert torch.isclose(rmse[i], F.mse_loss(a[i], b).sqrt())
    assert (l1 <= rmse + 1e-6).all(), "the root mean square is never the smaller one"
    assert l1_distance(b, b) == 0


@pytest.mark.parametrize("distance", [l1_distance, rmse_distance])
@given(st.integers(1, 5), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_a_distance_is_one_in_the_mathematicians_sense(distance, height, width, seed):
    torch.manual_seed(seed)
    a, b, c = torch.randn(3, height, width, dtype=torch.float64)
    assert distance(a, a) == 0 < distance(a, b) == distance(b, a)
    assert distance(a, c) <= distance(a, b) + distance(b, c) + 1e-12
    assert torch.isclose(distance(-3 * a, -3 * b), 3 * distance(a, b))


@given(
    st.integers(1, 12), st.integers(0, 5), st.integers(1, 4), st.sampled_from(["l1", "rmse"]), st.integers(0, 2**32 - 1)
)
def test_nearest_mean_of_any_stack_equals_plain_broadcasting(n, n_asked, side, distance, seed):
    torch.manual_seed(seed)
    images, labels, asked = torch.rand(n, side, side), torch.randint(-3, 4, (n,)), torch.rand(n_asked, side, side)
    model = NearestMean(distance).fit(images, labels)
    assert model.classes.tolist() == sorted(set(labels.tolist()))
    for label, mean in zip(model.classes, model.means, strict=True):
        assert torch.allclose(mean, images[labels == label].mean(0))
    plain = {"l1": l1_distance, "rmse": rmse_distance}[distance](asked[:, None], model.means)
    assert model.distances(asked).shape == (n_asked, len(model.classes))
    assert torch.allclose(model.distances(asked), plain, atol=1e-6)
    chosen = plain.gather(1, torch.searchsorted(model.classes, model.predict(asked))[:, None])
    assert torch.allclose(chosen, plain.amin(1, keepdim=True), atol=1e-6)


def test_images_near_a_far_mean_keep_their_digits():
    """With many images torch would multiply matrices by default, and a small difference of large numbers be lost."""
    images = 1000 + torch.rand(40, 3, 3)
    model = NearestMean("rmse").fit(images, torch.arange(40))
    assert torch.allclose(model.distances(images), rmse_distance(images[:, None], images), atol=1e-5)
    assert model.predict(images).tolist() == list(range(40))


def test_of_equal_distances_the_smaller_label_wins():
    model = NearestMean().fit(torch.tensor([1.0, 0.0]).view(2, 1, 1), torch.tensor([5, 8]))
    assert model.predict(torch.full((1, 1, 1), 0.5)).tolist() == [5]


@pytest.mark.parametrize("distance", [l1_distance, rmse_distance])
def test_bytes_and_odd_shapes_are_refused(distance):
    image = torch.zeros(28, 28)
    with pytest.raises(TypeError, match="wrap around below 0; divide by 255"):
        distance(image.to(torch.uint8), image)
    for other in (torch.zeros(28, 1), torch.zeros(784), torch.tensor(0.0)):
        with pytest.raises(ValueError, match="last two axes"):
            distance(image, other)


@pytest.mark.parametrize("distance", ["l1", "rmse"])
def test_nearest_mean_equals_plain_broadcasting(sample, distance):
    plain = {"l1": l1_distance, "rmse": rmse_distance}[distance]
    model = NearestMean(distance).fit(sample.train.floats, sample.train.labels)
    images = sample.valid.floats
    assert torch.allclose(model.distances(images), plain(images[:, None], model.means), atol=1e-6)


def test_nearest_mean_on_ten_digits_equals_scikit_learn():
    train, valid = mnist()
    ours = NearestMean("rmse").fit(train.floats, train.labels).predict(valid.floats)
    theirs = NearestCentroid().fit(train.flat.numpy(), train.labels.numpy()).predict(valid.flat.numpy())
    assert (ours.numpy() == theirs).mean() > 0.9999  # they round differently where two means are equally near


def test_classes_may_be_any_numbers():
    images = torch.tensor([0.0, 0.2, 1.0]).view(3, 1, 1)
    model = NearestMean().fit(images, torch.tensor([40, 40, -2]))
    assert model.classes.tolist() == [-2, 40]
    assert model.predict(torch.tensor([[[0.3]], [[0.9]]])).tolist() == [40, -2]


def test_before_fit_there_is_no_class_and_no_mean_of_the_kinds_that_are_promised():
    model = NearestMean()
    assert model.classes.shape == model.means.shape == (0,)
    assert model.classes.dtype == torch.int64
    assert model.means.dtype == torch.float32


def test_misuse_is_said():
    with pytest.raises(ValueError, match="'l1' or 'rmse', not 'l2'"):
        NearestMean("l2")
    with pytest.raises(RuntimeError, match="call fit"):
        NearestMean().predict(torch.zeros(1, 28, 28))
    with pytest.raises(ValueError, match=r"not \[2, 28, 28\] and \[3\]"):
        NearestMean().fit(torch.zeros(2, 28, 28), torch.zeros(3))
    with pytest.raises(ValueError, match="images"):
        NearestMean().fit(torch.zeros(0, 28, 28), torch.zeros(0))
    fitted = NearestMean().fit(torch.zeros(2, 28, 28), torch.tensor([0, 1]))
    with pytest.raises(ValueError, match=r"\[1, 20, 20\]"):
        fitted.predict(torch.zeros(1, 20, 20))


class Largest(TorchDispatchMode):
    """How many numbers the largest tensor holds that is made while it watches."""

    numel = 0

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        made = [t for t in pytree.tree_leaves(result) if isinstance(t, torch.Tensor)]
        self.numel = max([self.numel, *(t.numel() for t in made)])
        return result


@pytest.mark.parametrize("distance", ["l1", "rmse"])
def test_seventy_thousand_images_need_no_block_of_differences(distance):
    """Broadcasting would make [70000, 10, 8, 8]; nothing larger than the images themselves may appear."""
    images = torch.rand(70_000, 8, 8)
    labels = torch.arange(len(images)) % 10
    model = NearestMean(distance).fit(images[:1000], labels[:1000])
    with Largest() as largest:
        answers = model.predict(images)
    assert largest.numel == images.numel()
    block = images[:500, None] - model.means
    plain = block.abs().mean((2, 3)) if distance == "l1" else block.square().mean((2, 3)).sqrt()
    assert torch.equal(answers[:500], plain.argmin(1))
