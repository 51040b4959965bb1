"""Models give scores of the promised shape."""

import pytest
import torch

from mnistlib.models import conv_net, linear, simple_net


@pytest.mark.parametrize("make", [linear, simple_net, conv_net])
@pytest.mark.parametrize("n_out", [1, 2, 10])
def test_a_row_of_pixels_becomes_scores(make, n_out):
    assert make(n_out=n_out)(torch.rand(3, 784)).shape == (3, n_out)


def test_simple_net_is_two_matrix_products_with_a_maximum_between():
    model, x = simple_net(), torch.rand(5, 784)
    (w1, b1), (w2, b2) = [(layer.weight, layer.bias) for layer in (model[0], model[2])]
    by_hand = (x @ w1.T + b1).clamp_min(0) @ w2.T + b2
    assert torch.allclose(model(x), by_hand, atol=1e-6)


def test_conv_net_refuses_more_layers_than_the_picture_has_room_for():
    for widths in ((), (1, 2, 3, 4, 5)):
        with pytest.raises(ValueError, match="1 to 4 layers"):
            conv_net(widths=widths)
