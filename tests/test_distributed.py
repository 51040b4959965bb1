"""Several processes train what one process would, and say so when one of them is lost."""

import json
import os
import socket
import subprocess
import sys
from pathlib import Path

import pytest
import torch
import torch.distributed as dist
from safetensors.torch import load_file
from torch.utils.data import DataLoader as TorchDataLoader
from torch.utils.data import DistributedSampler, TensorDataset

from mnistlib import Learner, mnist_loss, simple_net
from mnistlib.distributed import Alone, Group, current_group, process_group
from mnistlib.learner import ProgressTable
from mnistlib.loader import DataLoaders

WORKER = Path(__file__).with_name("worker.py")
pytestmark = pytest.mark.skipif(
    not (dist.is_available() and dist.is_gloo_available()), reason="this build of torch has no gloo"
)


def environment(**more: str) -> dict[str, str]:
    usual = {name: value for name, value in os.environ.items() if name not in {"RANK", "WORLD_SIZE"}}
    return usual | {"OMP_NUM_THREADS": "1", "PYTHONUNBUFFERED": "1"} | more


def torchrun(folder, n_processes, *arguments):
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={n_processes}"]
    return subprocess.run(
        [*launcher, str(WORKER), str(folder), *map(str, arguments)],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=240,
        check=False,
    )


def alone(folder, *arguments):
    command = [sys.executable, str(WORKER), str(folder), *map(str, arguments)]
    return subprocess.run(command, env=environment(), capture_output=True, text=True, timeout=120, check=True)


def numbers(folder, rank=0):
    return json.loads((folder / f"numbers-{rank}.json").read_text(encoding="utf-8"))


# 1000 items in batches of 255: shares of 128 and 127, and a last batch of 235; three processes and batches of 37 leave
# one item in the last batch, which two of them go without.
@pytest.mark.slow
@pytest.mark.parametrize(("n_processes", "n", "batch_size"), [(2, 1000, 255), (3, 112, 37)])
def test_several_processes_train_what_one_would(tmp_path, n_processes, n, batch_size):
    one, many = tmp_path / "one", tmp_path / "many"
    one.mkdir()
    many.mkdir()
    table = alone(one, n, batch_size).stdout
    result = torchrun(many, n_processes, n, batch_size)
    assert result.returncode == 0, result.stderr
    a, b = load_file(one / "end.safetensors"), load_file(many / "end.safetensors")
    assert a.keys() == b.keys()
    for name in a:
        torch.testing.assert_close(a[name], b[name], rtol=0, atol=1e-5)
    for rank in range(n_processes):  # everybody knows the means over all
        assert numbers(many, rank) == numbers(many)
    torch.testing.assert_close(numbers(one), numbers(many), rtol=0, atol=1e-5)
    assert result.stdout == table, "the first process prints, and nobody else"


@pytest.mark.slow
def test_a_killed_process_ends_the_training_and_the_checkpoint_loads(tmp_path):
    result = torchrun(tmp_path, 2, 1000, 250, "killed")
    assert result.returncode != 0
    assert "SIGKILL" in result.stderr
    assert not (tmp_path / "end.safetensors").exists()
    assert [p.name for p in tmp_path.iterdir()] == ["last.safetensors"]
    batches = [(torch.zeros(2, 784), torch.zeros(2, 1))]
    Learner(DataLoaders(batches, batches), simple_net(), mnist_loss, device="cpu").load(tmp_path / "last.safetensors")


@pytest.mark.slow
def test_who_is_left_says_what_happened(tmp_path):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    processes = [
        subprocess.Popen(
            [sys.executable, str(WORKER), str(tmp_path), "1000", "250", "killed"],
            env=environment(MASTER_ADDR="127.0.0.1", MASTER_PORT=port, WORLD_SIZE="2", RANK=rank, LOCAL_RANK=rank),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for rank in ("0", "1")
    ]
    left, killed = [process.communicate(timeout=120) for process in processes]
    assert processes[1].returncode != 0
    assert processes[0].returncode == 1
    assert left[0].count("\n") == 2, "the table's head and its first epoch"
    assert "ConnectionError: process 0 of 2 has lost the others" in left[1]
    assert "load that and start all of them again" in left[1]
    assert killed[0] == ""


@pytest.mark.slow
def test_processes_that_would_see_other_images_are_told(tmp_path):
    result = torchrun(tmp_path, 2, 1000, 250, "order")
    assert result.returncode != 0
    assert "do not train alike: the first batches differ between process 0" in result.stderr
    assert "set_seed" in result.stderr
    assert not list(tmp_path.iterdir())


# -- What can be seen in one process --------------------------------------------------------------------------------


def test_without_torchrun_nothing_changes(monkeypatch):
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    with process_group() as group:
        assert (group.rank, group.size) == (0, 1)
        assert type(current_group()) is Alone
    assert not dist.is_initialized()


@pytest.fixture
def group(tmp_path):
    """A group whose only process is this one: all that it says to others, it hears itself."""
    dist.init_process_group("gloo", init_method=f"file://{tmp_path / 'meet'}", rank=0, world_size=1)
    try:
        yield Group()
    finally:
        dist.destroy_process_group()


@pytest.mark.parametrize("size", [1, 2, 3, 5])
@pytest.mark.parametrize("n", [1, 2, 4, 7, 256])
def test_shares_are_whole_and_their_weighted_means_are_the_mean(group, size, n):
    x, y = torch.rand(n, 3), torch.rand(n, 1)
    group.size = size
    weighted, seen = 0.0, []
    for group.rank in range(size):
        xb, yb, count, weight = group.share(x, y)
        assert len(xb) == len(yb) == max(count, 1)
        seen += yb[:count].flatten().tolist()
        weighted += yb.mean().item() * weight / size
    assert seen == y.flatten().tolist()
    assert weighted == pytest.approx(y.mean().item())


def test_a_loader_that_shares_out_already_is_refused(group):
    data = TensorDataset(torch.zeros(8, 784), torch.zeros(8, 1))
    sampled = TorchDataLoader(data, 4, sampler=DistributedSampler(data, 2, 0))
    with pytest.raises(ValueError, match="shares out the images already"):
        group.begin_fit(DataLoaders(sampled, sampled), 1)


def test_the_order_within_a_batch_counts(group, monkeypatch):
    """The same images in another order are other shares: what a process compares with the others' differs."""
    compared = []
    monkeypatch.setattr(group, "_same", lambda values, *_: compared.append(values.tolist()))
    x = torch.arange(12.0).view(4, 3)
    for order in ([0, 1, 2, 3], [1, 0, 2, 3]):
        group.check_batch(x[order], torch.zeros(4))
        group.check_batch(torch.zeros(4, 2, 2), x[order, :1])
    assert compared[0] != compared[2]
    assert compared[1] != compared[3]


def test_compile_is_for_one_process(group, monkeypatch, make_dls):
    group.size = 2
    monkeypatch.setattr("mnistlib.learner.current_group", lambda: group)
    with pytest.raises(ValueError, match="compile=True is for one process"):
        Learner(make_dls(), simple_net(), mnist_loss, compile=True)


def test_only_the_first_process_prints_and_saves(group, monkeypatch, make_dls, tmp_path):
    group.size, group.rank = 2, 1
    monkeypatch.setattr("mnistlib.learner.current_group", lambda: group)
    learn = Learner(make_dls(), simple_net(), mnist_loss, device="cpu")
    assert not any(isinstance(cb, ProgressTable) for cb in learn.cbs)
    assert learn.save(tmp_path / "weights.safetensors") == tmp_path / "weights.safetensors"
    assert not (tmp_path / "weights.safetensors").exists()


def test_other_errors_stay_what_they_are(group):
    error = RuntimeError("mat1 and mat2 shapes cannot be multiplied")
    assert group.explained(error) is error
    assert Alone().explained(error) is error


@pytest.mark.skipif(torch.cuda.is_available(), reason="here the GPUs may suffice")
def test_more_processes_than_gpus(monkeypatch):
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("LOCAL_RANK", "1")
    monkeypatch.setenv("MNISTLIB_DEVICE", "cuda")
    with pytest.raises(ValueError, match="0 GPUs, too few for process 1 .* MNISTLIB_DEVICE=cpu"), process_group():
        pass
