"""The Learner trains, reports, stops and keeps as promised."""

import math
import os
from functools import partial

import pytest
import torch
from torch import nn

from mnistlib.learner import Callback, Checkpoint, Learner, OneCycle, ProgressTable, StopFitError
from mnistlib.loader import DataLoader, DataLoaders
from mnistlib.losses import mnist_loss, mse
from mnistlib.metrics import batch_accuracy
from mnistlib.models import conv_net, linear, simple_net
from mnistlib.optimizer import SGD
from mnistlib.runtime import set_seed


def tiny_dls(n=20, batch_size=6):
    x = torch.linspace(-1, 1, n).unsqueeze(1)
    return DataLoaders(
        DataLoader(x, 2 * x + 1, batch_size, device="cpu"), DataLoader(x, 2 * x + 1, batch_size, device="cpu")
    )


def quiet(dls=None, model=None, loss_func=mse, **settings):
    set_seed(0)
    return Learner(dls or tiny_dls(), model or linear(1, 1), loss_func, verbose=False, **settings)


class Note(Callback):
    """Write down every event."""

    def __init__(self):
        self.heard = []

    def __getattribute__(self, name):
        if name.startswith(("before_", "after_")):
            self.heard.append(name)
        return super().__getattribute__(name)


def test_it_finds_a_line():
    learn = quiet()
    learn.fit(200, lr=0.3)
    weight, bias = learn.model.parameters()
    assert weight.item() == pytest.approx(2, abs=1e-3)
    assert bias.item() == pytest.approx(1, abs=1e-3)


def test_a_loop_written_out_gives_the_same_parameters():
    learn = quiet(opt_func=SGD)
    learn.fit(3, lr=0.1)
    set_seed(0)
    model = linear(1, 1)
    for _ in range(3):
        for xb, yb in tiny_dls().train:
            mse(model(xb), yb).backward()
            with torch.no_grad():
                for p in model.parameters():
                    p -= p.grad * 0.1
                    p.grad = None
    for ours, plain in zip(learn.model.parameters(), model.parameters(), strict=True):
        assert torch.allclose(ours, plain, atol=1e-7)


def test_linear_learns_threes_from_sevens(make_dls):
    learn = quiet(make_dls(), linear(), mnist_loss, metrics=[batch_accuracy])
    learn.fit(5, lr=1.0)
    assert learn.recorder["batch_accuracy"][-1] > 0.975
    assert learn.recorder["valid_loss"] == sorted(learn.recorder["valid_loss"], reverse=True)


def test_events_come_in_the_documented_order():
    note = Note()
    quiet(cbs=[note]).fit(1, lr=0.1)
    batch = ["before_batch", "after_pred", "after_loss"]
    train_batch = [*batch, "after_backward", "after_step", "after_batch"]
    assert note.heard == [
        "before_fit", "before_epoch",
        "before_train", *train_batch * 4, "after_train",
        "before_validate", *[*batch, "after_batch"] * 4, "after_validate",
        "after_epoch", "after_fit",
    ]  # fmt: skip


def test_the_recorder_holds_a_value_a_batch_and_a_row_an_epoch():
    learn = quiet(metrics=[mse])
    learn.fit(3, lr=0.1)
    recorder = learn.recorder
    assert recorder.names == ["train_loss", "valid_loss", "mse"]
    assert len(recorder.values) == len(recorder.seconds) == 3
    assert len(recorder.losses) == len(recorder.lrs) == 12
    assert recorder["mse"] == pytest.approx(recorder["valid_loss"])
    with pytest.raises(KeyError, match=r"'f1' was not recorded; there are \['train_loss'"):
        recorder["f1"]


def test_metrics_are_averaged_by_items_not_by_batches():
    def share_above_zero(preds, targets):
        return (targets > 0).float().mean()

    learn = quiet(metrics=[share_above_zero])  # 20 items in batches of 6, 6, 6 and 2
    expected = (learn.dls.valid.dataset.y > 0).float().mean().item()
    assert learn.validate()[1] == pytest.approx(expected)


def test_a_second_fit_goes_on():
    once, twice = quiet(opt_func=torch.optim.Adam), quiet(opt_func=torch.optim.Adam)
    once.fit(4, lr=0.05)
    twice.fit(2, lr=0.05)
    twice.fit(2, lr=0.05)
    for a, b in zip(once.model.parameters(), twice.model.parameters(), strict=True):
        assert torch.equal(a, b)


@pytest.mark.parametrize("opt_func", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop])
def test_any_torch_optimizer_will_do(opt_func):
    learn = quiet(opt_func=opt_func)
    learn.fit(20, lr=0.02)
    assert learn.recorder["valid_loss"][-1] < learn.recorder["valid_loss"][0]


def test_the_same_seed_gives_the_same_bits(make_dls):
    runs = []
    for _ in range(2):
        learn = quiet(make_dls(), simple_net(), mnist_loss)
        learn.fit(1, lr=0.1)
        runs.append((learn.recorder.losses, learn.predict(learn.dls.valid.dataset.x)))
    assert runs[0][0] == runs[1][0]
    assert torch.equal(runs[0][1], runs[1][1])


def test_one_cycle_goes_up_and_down_and_momentum_the_other_way():
    class Momenta(Callback):
        def __init__(self):
            self.seen = []

        def after_step(self, learn):
            self.seen.append(learn.opt.param_groups[0]["betas"][0])

    momenta = Momenta()
    learn = quiet(opt_func=torch.optim.Adam, cbs=[momenta])
    learn.fit_one_cycle(10, 0.1)
    lrs = torch.tensor(learn.recorder.lrs)
    assert lrs[0] == pytest.approx(0.1 / 25)
    assert lrs.argmax() == 10 and lrs.max() == pytest.approx(0.1)
    assert lrs[-1] < 0.001
    assert momenta.seen[0] == pytest.approx(0.95) and momenta.seen[10] == pytest.approx(0.85)
    with pytest.raises(ValueError, match="between 0 and 1"):
        OneCycle(0.1, pct_start=1.0)


def test_lr_find_leaves_no_trace(make_dls):
    learn = quiet(make_dls(), simple_net(), mnist_loss)
    before = [p.clone() for p in learn.model.parameters()]
    found = learn.lr_find()
    for p, q in zip(before, learn.model.parameters(), strict=True):
        assert torch.equal(p, q)
    assert learn.opt is None and learn.recorder.values == []
    assert found.lrs == sorted(found.lrs) and len(found.lrs) == len(found.losses)
    assert 1e-3 < found.suggestion <= 1
    with pytest.raises(ValueError, match="start < end"):
        learn.lr_find(start=1.0, end=0.1)


def test_a_callback_can_stop_and_fit_returns():
    class AfterTwo(Callback):
        def after_epoch(self, learn):
            if learn.epoch == 1:
                raise StopFitError

    note = Note()
    learn = quiet(cbs=[AfterTwo(), note])
    learn.fit(10, lr=0.1)
    assert len(learn.recorder.values) == 2
    assert note.heard[-1] == "after_fit"


@pytest.mark.parametrize("verbose", [True, False])
def test_an_error_before_the_training_is_the_one_that_is_seen(verbose):
    class Unprepared(Callback):
        def before_fit(self, learn):
            raise KeyError("no such file")

    note = Note()
    learn = Learner(tiny_dls(), linear(1, 1), mse, cbs=[Unprepared(), note], verbose=verbose)
    with pytest.raises(KeyError, match="no such file") as raised:
        learn.fit_one_cycle(1, 0.1)
    assert raised.value.__context__ is None
    assert note.heard == [], "who did not hear that it begins, does not hear that it ends"
    learn.cbs = [cb for cb in learn.cbs if not isinstance(cb, Unprepared)]
    learn.fit_one_cycle(1, 0.1)
    assert len(learn.recorder.values) == 1 and note.heard[-1] == "after_fit"


def test_interrupted_the_model_and_the_recorder_stay_usable():
    class Impatient(Callback):
        def after_backward(self, learn):
            if learn.epoch == 1 and learn.batch == 2:
                raise KeyboardInterrupt

    learn = quiet()
    with pytest.raises(KeyboardInterrupt):
        learn.fit(10, lr=0.1, cbs=Impatient())
    assert len(learn.recorder.values) == 1
    assert len(learn.recorder.losses) == 4 + 3
    learn.fit(2, lr=0.1)
    assert len(learn.recorder.values) == 2, "and listeners of the interrupted call are gone"


@pytest.mark.parametrize("bad", [math.nan, math.inf])
def test_a_loss_that_is_not_finite_is_said_with_its_place(bad):
    dls = tiny_dls()
    dls.train.dataset.x[13] = bad  # the third batch of six
    with pytest.raises(FloatingPointError, match="epoch 0, batch 2"):
        quiet(dls).fit(1, lr=0.1)


def test_misuse_is_said_before_training():
    with pytest.raises(ValueError, match="nothing to train"):
        quiet(model=nn.ReLU())
    with pytest.raises(TypeError, match="a metric must be a function"):
        quiet(metrics=["accuracy"])
    with pytest.raises(TypeError, match=r"a class needs its brackets"):
        quiet(cbs=[ProgressTable])
    with pytest.raises(ValueError, match="validation loader is empty"):
        quiet(DataLoaders(tiny_dls().train, []))
    for n_epochs, lr in ((0, 1.0), (1, 0.0), (1, -1.0), (1, math.nan), (1, math.inf)):
        with pytest.raises(ValueError, match="must be"):
            quiet().fit(n_epochs, lr)


def test_a_loss_or_metric_of_many_numbers_is_refused():
    with pytest.raises(ValueError, match=r"one number for the batch, not a tensor of shape \[6, 1\]; take its mean"):
        quiet(loss_func=lambda preds, yb: preds - yb).fit(1, lr=0.1)

    def per_item(preds, yb):
        return [0.5, 0.5]

    with pytest.raises(TypeError, match="per_item must give one number for the batch, not list"):
        quiet(metrics=[per_item]).fit(1, lr=0.1)
    with pytest.raises(TypeError, match=r"not a tensor of shape \[6, 1\]"):
        quiet(metrics=[lambda preds, yb: preds == yb]).fit(1, lr=0.1)


def test_targets_without_their_column_are_caught_in_training(sample):
    train, valid = sample
    flat_targets = [
        DataLoader(part.flat[:64], part.is_a(3)[:64].squeeze(1), 32, device="cpu") for part in (train, valid)
    ]
    with pytest.raises(ValueError, match="targets.unsqueeze"):
        quiet(DataLoaders(*flat_targets), linear(), mnist_loss).fit(1, lr=1.0)


# -- table, weights, predictions --------------------------------------------------------------------


def test_the_table_of_epochs_is_the_same_text_every_time(capsys):
    printed = []
    for _ in range(2):
        set_seed(0)
        Learner(tiny_dls(), linear(1, 1), mse, metrics=[mse]).fit(2, lr=0.1)
        printed.append(capsys.readouterr())
    assert printed[0] == printed[1]
    head, *rows = printed[0].out.splitlines()
    assert head.split() == ["epoch", "train_loss", "valid_loss", "mse"]
    assert [row.split()[0] for row in rows] == ["0", "1"]
    assert printed[0].err == "", "no progress bar outside a terminal"


@pytest.mark.parametrize("make", [linear, simple_net, conv_net])
def test_weights_come_back_as_they_were_saved(tmp_path, make_dls, make):
    learn = quiet(make_dls(), make(), mnist_loss)
    learn.fit(1, lr=0.1)
    file = learn.save(tmp_path / "weights.safetensors")
    set_seed(99)
    other = Learner(make_dls(), make(), mnist_loss, verbose=False)
    x = learn.dls.valid.dataset.x[:50]
    assert not torch.equal(other.predict(x), learn.predict(x))
    other.load(file)
    assert torch.equal(other.predict(x), learn.predict(x))
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]


def test_weights_of_another_model_are_refused_and_change_nothing(tmp_path, make_dls):
    file = quiet(make_dls(), simple_net(n_hidden=20), mnist_loss).save(tmp_path / "weights.safetensors")
    learn = quiet(make_dls(), simple_net(), mnist_loss)
    before = learn.predict(learn.dls.valid.dataset.x[:5])
    with pytest.raises(ValueError, match=r"not this model's \(0.bias: model \[30\], file \[20\]"):
        learn.load(file)
    for damaged in (b"", b"junk", file.read_bytes()[:200]):
        file.write_bytes(damaged)
        with pytest.raises(ValueError, match="not a whole safetensors file"):
            learn.load(file)
    with pytest.raises(FileNotFoundError):
        learn.load(tmp_path / "none")
    assert torch.equal(learn.predict(learn.dls.valid.dataset.x[:5]), before)


def test_saving_that_fails_keeps_the_old_file(tmp_path, monkeypatch):
    learn = quiet()
    file = learn.save(tmp_path / "weights.safetensors")
    old = file.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patched:
        patched.setattr("pathlib.Path.write_bytes", full)
        with pytest.raises(OSError, match="No space"):
            learn.save(file)
    assert file.read_bytes() == old
    assert [p.name for p in tmp_path.iterdir()] == ["weights.safetensors"]


def test_predict_does_not_depend_on_the_batch_size(make_dls):
    learn = quiet(make_dls(), conv_net(), mnist_loss)
    x = learn.dls.valid.dataset.x[:10]
    assert torch.allclose(learn.predict(x), learn.predict(x, batch_size=3), atol=1e-6)
    assert learn.predict(x).shape == (10, 1)


def test_summary_counts_parameters(make_dls):
    table = quiet(make_dls(), simple_net(), mnist_loss).summary()
    assert table.splitlines()[-1].split() == ["total", "23,581"]
    assert "[256, 30]" in table


def test_training_needs_no_copy_back_from_the_device_within_an_epoch(make_dls, monkeypatch):
    """Reading a number off an accelerator makes it wait; within an epoch nothing may do so."""
    learn = quiet(make_dls(), linear(), mnist_loss, metrics=[batch_accuracy])
    reads = []
    for name in ("item", "tolist", "__bool__", "__float__", "cpu"):
        original = getattr(torch.Tensor, name)

        def counted(tensor, *args, _name=name, _original=original):
            reads.append((learn.training, learn.batch, _name))
            return _original(tensor, *args)

        monkeypatch.setattr(torch.Tensor, name, counted)
    learn.fit(1, lr=1.0)
    last = learn.n_batches - 1
    assert {batch for training, batch, _ in reads if training} <= {last}, "only after the last batch"


@pytest.mark.skipif(os.name != "posix", reason="Windows knows no such bits")
def test_saved_weights_can_be_read_by_whom_the_user_lets(make_dls, tmp_path):
    """A saved file has the rights that any other new file of the user has."""
    other = tmp_path / "other"
    other.touch()
    saved = Learner(make_dls(), linear(), mnist_loss, verbose=False).save(tmp_path / "linear.safetensors")
    assert saved.stat().st_mode == other.stat().st_mode
    assert sorted(p.name for p in tmp_path.iterdir()) == ["linear.safetensors", "other"]


def trained_on(threads, make_dls, model):
    usual = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        set_seed(0)
        learn = Learner(make_dls(), model(), mnist_loss, metrics=batch_accuracy, device="cpu", verbose=False)
        learn.fit(3, lr=0.5)
    finally:
        torch.set_num_threads(usual)
    return learn


@pytest.mark.parametrize("model", [linear, simple_net])
def test_the_number_of_threads_changes_nothing_but_rounding(make_dls, model):
    one, again, two = (trained_on(threads, make_dls, model) for threads in (1, 1, 2))
    for a, b, c in zip(one.params, again.params, two.params, strict=True):
        assert torch.equal(a, b), "the same seed and the same threads: the same weights to the last bit"
        torch.testing.assert_close(a, c, rtol=0, atol=1e-5)
    assert one.recorder.losses == pytest.approx(two.recorder.losses, abs=1e-6)


def test_bfloat16_trains_nearly_as_well_and_leaves_the_parameters_wide(make_dls):
    def trained(autocast):
        learn = quiet(make_dls(), conv_net(widths=(4, 8)), mnist_loss, metrics=batch_accuracy, autocast=autocast)
        learn.fit_one_cycle(2, 0.5)
        return learn

    wide, narrow = trained(False), trained(True)
    assert {p.dtype for p in narrow.params} == {torch.float32}
    assert narrow.predict(torch.zeros(2, 784)).dtype == torch.float32
    assert narrow.recorder.losses != wide.recorder.losses, "something is computed in another precision"
    assert narrow.recorder["batch_accuracy"][-1] == pytest.approx(wide.recorder["batch_accuracy"][-1], abs=0.02)


def test_a_checkpoint_keeps_the_last_whole_epoch(tmp_path, make_dls):
    class Stop(Callback):
        def after_step(self, learn):
            if learn.epoch == 2:
                raise KeyboardInterrupt

    file = tmp_path / "last.safetensors"
    after_two = quiet(make_dls(), linear(), mnist_loss)
    after_two.fit(2, lr=0.1)
    learn = quiet(make_dls(), linear(), mnist_loss)
    with pytest.raises(KeyboardInterrupt):
        learn.fit(5, lr=0.1, cbs=[Checkpoint(file), Stop()])
    assert not torch.equal(learn.params[0], after_two.params[0]), "a step of the third epoch was made"
    learn.load(file)
    assert torch.equal(learn.params[0], after_two.params[0])


def test_the_turned_layer_is_a_linear_layer():
    layer, usual = simple_net()[0], nn.Linear(784, 30)
    usual.load_state_dict(layer.state_dict())
    for shape in [(784,), (5, 784), (2, 5, 784), (1, 784)]:
        x = torch.rand(shape)
        torch.testing.assert_close(layer(x), usual(x))


def test_bfloat16_reports_losses_with_all_their_digits(make_dls):
    learn = quiet(make_dls(64), simple_net(), mnist_loss, autocast=True)
    scores, targets = learn.predict(torch.cat([xb for xb, _ in learn.dls.valid])), learn.dls.valid.dataset.y
    assert learn.validate()[0] == pytest.approx(mnist_loss(scores, targets).item(), abs=1e-5)


def test_layers_freed_after_a_fit_are_trained(make_dls):
    learn = quiet(make_dls(), simple_net(), mnist_loss)
    learn.model[0].requires_grad_(False)
    before = learn.model[0].weight.clone()
    learn.fit(1, lr=0.1)
    assert torch.equal(learn.model[0].weight, before)
    learn.model[0].requires_grad_(True)
    learn.fit(1, lr=0.1)
    assert not torch.equal(learn.model[0].weight, before)


def test_asking_in_the_midst_of_an_epoch_changes_nothing(make_dls):
    class Ask(Callback):
        modes = ()

        def after_step(self, learn):
            learn.predict(torch.zeros(2, 784))
            learn.validate()
            self.modes = (*self.modes, learn.training, learn.model.training)

    asking, ask = quiet(make_dls(), conv_net(widths=(4,)), mnist_loss), Ask()
    plain = quiet(make_dls(), conv_net(widths=(4,)), mnist_loss)
    asking.fit(1, lr=0.1, cbs=ask)
    plain.fit(1, lr=0.1)
    assert all(ask.modes)
    assert asking.recorder.losses == plain.recorder.losses
    assert all(torch.equal(a, b) for a, b in zip(asking.params, plain.params, strict=True))


def test_a_loss_that_a_callback_changed_is_recorded_as_it_was_learned_from(make_dls):
    class Twice(Callback):
        def after_loss(self, learn):
            learn.loss = learn.loss * 2

    def losses(cbs):
        set_seed(0)
        learn = Learner(make_dls(), linear(), mnist_loss, cbs=cbs, verbose=False)
        learn.fit(1, lr=1e-30)  # nothing moves
        return torch.tensor(learn.recorder.losses)

    torch.testing.assert_close(losses(Twice()), 2 * losses(()))


@pytest.mark.parametrize(
    "opt_func", [partial(torch.optim.SGD, momentum=0.3), partial(torch.optim.Adam, betas=(0.3, 0.9))]
)
def test_one_cycle_gives_the_momentum_back(make_dls, opt_func):
    learn = Learner(make_dls(), linear(), mnist_loss, opt_func, verbose=False)
    learn.fit_one_cycle(1, 0.01)
    group = learn.opt.param_groups[0]
    assert (group["betas"][0] if "betas" in group else group["momentum"]) == 0.3


def test_a_metric_with_settings_filled_in_keeps_its_name(make_dls):
    def share_above(preds, targets, least):
        return (preds > least).float().mean()

    learn = Learner(make_dls(), linear(), mnist_loss, metrics=partial(share_above, least=1), verbose=False)
    assert learn.metric_names == ["share_above"]


def test_summary_shows_a_large_batch_once_and_layers_that_give_more_than_a_tensor():
    class Two(nn.Module):
        def forward(self, x):
            return x, x

    class First(nn.Module):
        def forward(self, pair):
            return pair[0]

    batches = [(torch.zeros(1500, 3), torch.zeros(1500, 1))]
    model = nn.Sequential(nn.Linear(3, 1), Two(), First())
    text = Learner(DataLoaders(batches, batches), model, nn.MSELoss(), device="cpu").summary()
    assert [line.split()[0] for line in text.splitlines()] == ["layer", "Linear", "Two", "First", "total"]
    assert "[1500, 1]" in text
    assert "a tuple of 2" in text


@pytest.mark.parametrize("change", ["unfrozen", "exchanged"])
def test_lr_find_notices_what_changed_as_fit_does(change):
    model = nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 1))
    learn = quiet(model=model)
    model[0].requires_grad_(False)
    learn.fit(1, lr=0.1)
    if change == "unfrozen":
        model[0].requires_grad_(True)
    else:
        learn.model = nn.Sequential(nn.Linear(1, 3), nn.Linear(3, 1))
    before = learn.model[0].weight.clone()
    learn.lr_find(n=8)
    assert torch.equal(learn.model[0].weight, before)
    learn.fit(1, lr=0.1)
    assert not torch.equal(learn.model[0].weight, before)


def test_a_model_around_the_old_one_is_the_one_that_is_trained():
    same = []

    class Compare(Callback):
        def after_pred(self, learn):
            with torch.no_grad():
                same.append(torch.allclose(learn.preds, learn.model(learn.xb)))

    learn = quiet()
    learn.fit(1, lr=0.001)
    learn.model = nn.Sequential(learn.model, nn.Threshold(0, 10))
    learn.fit(2, lr=0.001, cbs=Compare())
    assert all(same) and len(same) > 2


@pytest.mark.parametrize("event", ["before_fit", "before_train", "before_batch", "after_step"])
def test_a_callback_may_validate_at_any_event(event):
    def told(self, learn):
        asked.append(learn.training)
        if learn.training or event == "before_fit":  # and not from within what it asked for
            learn.validate()

    asked, plain = [], quiet()
    plain.fit(2, lr=0.1)
    learn = quiet(cbs=[type("Curious", (Callback,), {event: told})()])
    learn.fit(2, lr=0.1)
    assert asked
    assert learn.recorder.values == plain.recorder.values


def test_every_listener_hears_the_end_even_if_one_fails():
    class Enough(Callback):
        def after_batch(self, learn):
            raise StopFitError

    note = Note()
    dls = DataLoaders([(torch.full((2, 1), torch.inf), torch.ones(2, 1))], tiny_dls().valid)
    learn = quiet(dls, cbs=[Enough(), note])
    with pytest.raises(FloatingPointError):
        learn.fit(1, lr=0.1)
    assert note.heard[-1] == "after_fit"
    assert learn.cbs[-1] is note and len(learn.cbs) == 3


def test_lr_find_leaves_no_trace_on_a_loader_with_a_seed(make_dls):
    def losses(find):
        learn = quiet(make_dls(), linear(), mnist_loss)
        if find:
            learn.lr_find(n=5)
        learn.fit(1, lr=0.1)
        return learn.recorder.losses

    assert losses(True) == losses(False)


def test_an_error_in_predict_leaves_the_model_as_it_was():
    learn = quiet()
    learn.model.train()
    with pytest.raises(RuntimeError):
        learn.predict(torch.ones(2, 5))
    assert learn.model.training
