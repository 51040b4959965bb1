"""A compiled step gives what the plain one gives, and gives way to it where nothing can be compiled."""

import os
import subprocess
import sys
import textwrap
import warnings

import pytest
import torch
from torch import nn

from mnistlib import SGD, Learner, batch_accuracy, conv_net, mnist_loss, set_seed, simple_net
from mnistlib.compiled import CompiledStep


def compiler_works() -> bool:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return CompiledStep(nn.Linear(2, 1), nn.MSELoss())(torch.ones(2, 2), torch.ones(2, 1)) is not None


@pytest.fixture(scope="module")
def compiler():
    if not compiler_works():
        pytest.skip("nothing can be compiled here")


def trained(make_dls, compiled, opt_func=SGD, model=simple_net, lr=0.1):
    set_seed(0)
    learn = Learner(
        make_dls(), model(), mnist_loss, opt_func, batch_accuracy, device="cpu", verbose=False, compile=compiled
    )
    learn.fit(2, lr)
    return learn


@pytest.mark.slow
@pytest.mark.parametrize(("opt_func", "lr"), [(SGD, 0.1), (torch.optim.AdamW, 1e-3)])
def test_the_same_numbers_but_for_rounding(compiler, make_dls, opt_func, lr):
    plain, fast = (trained(make_dls, compiled, opt_func, lr=lr) for compiled in (False, True))
    for a, b in zip(plain.params, fast.params, strict=True):
        torch.testing.assert_close(a, b, rtol=0, atol=1e-5)
    assert fast.recorder.losses == pytest.approx(plain.recorder.losses, abs=1e-6)
    assert fast.recorder.values[-1] == pytest.approx(plain.recorder.values[-1], abs=1e-5)
    assert fast.compiled.works


@pytest.mark.slow
def test_the_moving_averages_of_batch_normalization_move(compiler):
    set_seed(0)
    model = conv_net(widths=(4,))
    set_seed(0)
    plain = conv_net(widths=(4,))
    xb, yb = torch.rand(8, 784), torch.ones(8, 1)
    preds, loss = CompiledStep(model, mnist_loss)(xb, yb)
    expected = mnist_loss(plain(xb), yb)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    for (name, a), (_, b) in zip(model.named_buffers(), plain.named_buffers(), strict=True):
        torch.testing.assert_close(a, b, msg=name)
    for a, b in zip(model.parameters(), plain.parameters(), strict=True):
        torch.testing.assert_close(a.grad, b.grad, rtol=1e-3, atol=1e-5)
    assert preds.shape == (8, 1)


@pytest.mark.slow
def test_frozen_parameters_stay(compiler):
    model = simple_net()
    model[0].requires_grad_(False)
    before = model[0].weight.clone()
    CompiledStep(model, mnist_loss)(torch.rand(4, 784), torch.ones(4, 1))
    assert model[0].weight.grad is None
    assert model[2].weight.grad is not None
    assert torch.equal(model[0].weight, before)


@pytest.mark.slow
def test_without_a_compiler_a_warning_and_the_same_training(tmp_path):
    script = textwrap.dedent("""
        import warnings
        import torch
        from mnistlib import DataLoader, DataLoaders, Learner, mnist_loss, set_seed, simple_net

        def run(compile):
            set_seed(0)
            loader = DataLoader(torch.rand(20, 784), torch.ones(20, 1), 8, device="cpu")
            learn = Learner(DataLoaders(loader, loader), simple_net(), mnist_loss, verbose=False, compile=compile)
            learn.fit(2, lr=0.1)
            return learn

        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            fast = run(True)
        print(*[str(w.message) for w in caught if w.category is RuntimeWarning], sep="\\n")
        assert all(torch.equal(a, b) for a, b in zip(fast.params, run(False).params))
    """)
    nowhere = str(tmp_path / "none")
    environment = os.environ | {"CXX": nowhere, "PATH": nowhere, "TORCHINDUCTOR_CACHE_DIR": str(tmp_path / "cache")}
    result = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True, timeout=300, check=True
    )
    said = result.stdout.strip().splitlines()
    assert len(said) == 1, "once, not for every batch"
    assert said[0].startswith("compile=True has no effect: torch.compile failed (")


def test_an_error_of_the_readers_own_is_the_one_that_is_seen(make_dls):
    def listed(preds, targets):
        return (preds.sigmoid() - targets).abs()

    def cut_off(preds, targets):
        return batch_accuracy(preds, targets)

    for loss_func, words in ((listed, "one number"), (cut_off, "no gradient")):
        learn = Learner(make_dls(), simple_net(), loss_func, device="cpu", verbose=False, compile=True)
        with pytest.raises(ValueError, match=words):
            learn.fit(1, lr=0.1)


@pytest.mark.skipif(not hasattr(torch.compiler, "set_stance"), reason="this version of torch always compiles")
@pytest.mark.parametrize("wide_loss", [False, True])
def test_the_function_itself_gives_what_backward_gives(wide_loss):
    set_seed(0)
    plain, model = (conv_net().train() for _ in range(2))
    model.load_state_dict(plain.state_dict())
    xb, yb = torch.rand(8, 784), torch.randint(2, (8, 1))
    with torch.compiler.set_stance("force_eager"):
        preds, loss = CompiledStep(model, mnist_loss, wide_loss)(xb, yb)
    expected = mnist_loss(plain(xb), yb)
    expected.backward()
    torch.testing.assert_close(loss, expected.detach())
    assert preds.shape == (8, 1)
    for name, p in plain.named_parameters():
        torch.testing.assert_close(model.get_parameter(name).grad, p.grad)
    for name, value in plain.named_buffers():
        torch.testing.assert_close(model.get_buffer(name), value)


@pytest.mark.slow
def test_a_model_around_the_old_one_is_the_one_that_is_compiled(compiler, make_dls):
    def wrapped(compiled):
        learn = trained(make_dls, compiled)
        learn.model = nn.Sequential(learn.model, nn.Hardtanh(-0.1, 0.1))
        learn.fit(1, 0.1)
        return learn

    for fast, plain in zip(wrapped(True).params, wrapped(False).params, strict=True):
        torch.testing.assert_close(fast, plain, rtol=0, atol=1e-5)


@pytest.mark.slow
def test_layers_frozen_and_freed_between_fits(compiler, make_dls):
    learn = trained(make_dls, True)
    learn.model[0].requires_grad_(False)
    before = learn.model[0].weight.clone()
    learn.fit(1, lr=0.1)
    assert torch.equal(learn.model[0].weight, before)
    learn.model[0].requires_grad_(True)
    learn.fit(1, lr=0.1)
    assert not torch.equal(learn.model[0].weight, before)
    assert learn.compiled.works


@pytest.mark.slow
def test_layers_that_stop_training_and_other_dtypes_are_noticed(compiler):
    model = nn.Sequential(nn.Linear(3, 4), nn.BatchNorm1d(4), nn.Linear(4, 1))
    step, x, y = CompiledStep(model, nn.MSELoss()), torch.rand(8, 3), torch.rand(8, 1)
    step(x, y)
    model[1].eval()  # now with the moving averages
    kept = model[1].running_mean.clone()
    preds, _ = step(x, y)
    torch.testing.assert_close(preds, model(x))
    assert torch.equal(model[1].running_mean, kept)
    model.double()
    preds, loss = step(x.double(), y.double())
    torch.testing.assert_close(preds, model(x.double()))
    assert loss.dtype == model[0].weight.grad.dtype == torch.float64
    assert step.works


@pytest.mark.slow
def test_another_loss_between_fits(compiler, make_dls):
    learn = trained(make_dls, True)
    learn.loss_func = lambda preds, targets: 0 * preds.mean()
    before = learn.model[0].weight.clone()
    learn.fit(1, lr=0.1)
    assert torch.equal(learn.model[0].weight, before)


@pytest.mark.slow
def test_more_models_than_torch_compiles_of_one_function(compiler):
    for n in range(1, 11):
        step = CompiledStep(nn.Linear(n, 1), nn.MSELoss())
        assert step(torch.ones(2, n), torch.ones(2, 1)) is not None
