"""Pictures show the numbers they are given."""

import numpy as np
import pytest
import torch
from sklearn.metrics import confusion_matrix

from mnistlib import plot
from mnistlib.learner import Learner, Recorder
from mnistlib.losses import mnist_loss
from mnistlib.models import linear


def test_an_image_is_drawn_dark_for_high_values(sample):
    ax = plot.show_image(sample.train.images[0])
    assert np.array_equal(ax.images[0].get_array(), sample.train.images[0].numpy())
    assert ax.images[0].get_clim() == (0, 255)
    assert ax.images[0].to_rgba(np.array([[0, 255]]))[0, :, :3].tolist() == [[1, 1, 1], [0, 0, 0]]
    assert plot.show_image(sample.train.floats[0]).images[0].get_clim() == (0, 1)


def test_signed_images_are_white_at_zero_and_symmetric():
    ax = plot.show_signed(torch.tensor([[-3.0, 0.0, 1.0]], requires_grad=True))
    assert ax.images[0].get_clim() == (-3, 3)
    assert ax.images[0].to_rgba(np.zeros((1, 1)))[0, 0, :3] == pytest.approx([1, 1, 1], abs=0.04)
    assert plot.show_signed(torch.zeros(2, 2)).images[0].get_clim() == (-1, 1)


def test_several_images_stand_in_rows_and_spare_places_are_empty(sample):
    drawn = plot.show_images(sample.train.images[:5], titles=list("abcde"), columns=3)
    assert [ax.get_title() for ax in drawn] == list("abcde")
    assert sum(len(ax.images) for ax in drawn[0].figure.axes) == 5


def test_pixel_table_holds_the_numbers_and_shades_them(sample):
    image = sample.train.of(3).images[1, 4:15, 4:22]
    table = plot.pixel_table(image)
    assert np.array_equal(table.data, image.numpy())
    assert table.to_html().count("background-color") > 10


def test_plot_function_draws_the_function():
    line = plot.plot_function(lambda x: x**2, -3, 3).lines[0]
    assert line.get_ydata() == pytest.approx(line.get_xdata() ** 2)


def test_plot_loss_draws_what_was_recorded(make_dls):
    with pytest.raises(ValueError, match="fit the Learner first"):
        plot.plot_loss(Recorder())
    learn = Learner(make_dls(), linear(), mnist_loss, verbose=False)
    learn.fit(2, lr=1.0)
    train, valid = plot.plot_loss(learn.recorder).lines
    assert list(train.get_ydata()) == learn.recorder.losses
    assert train.get_xdata()[-1] == 2
    assert list(valid.get_ydata()) == learn.recorder["valid_loss"]


def test_confusion_counts_equal_scikit_learn_s():
    preds, targets = torch.randint(0, 10, (500,)), torch.randint(0, 10, (500,))
    counts = plot.confusion_counts(preds, targets, 10)
    assert np.array_equal(counts, confusion_matrix(targets, preds))
    texts = [text.get_text() for text in plot.show_confusion(counts, [str(d) for d in range(10)]).texts]
    assert texts == [str(n) for n in counts.flatten().tolist()]


def test_odd_shapes_are_refused(sample):
    with pytest.raises(ValueError, match=r"one image \[H, W\], not a tensor of shape \[784\]"):
        plot.show_image(sample.train.flat[0])
    with pytest.raises(ValueError, match=r"\[784\]"):
        plot.show_signed(sample.train.flat[0])
    with pytest.raises(ValueError, match="as many titles"):
        plot.show_images(sample.train.images[:2], titles=["one"])
    with pytest.raises(ValueError, match=r"must both be \[N\]"):
        plot.confusion_counts(torch.zeros(2, 2), torch.zeros(2), 2)
