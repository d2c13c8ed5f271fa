"""Checkpoints of one worker: what is saved, what is found again, and what a torn one costs."""

from __future__ import annotations

import json
import os
import random
import signal
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset

from steelyard.errors import TrainingError, UsageError
from steelyard.training import Balancer
from steelyard.training.environment import WorkerEnvironment


class Points(Dataset[tuple[int, torch.Tensor]]):
    def __len__(self) -> int:
        return 22

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor]:
        return index, torch.full((3,), index / 10).sin()


class Run:
    """A run of a small model with dropout, momentum and a schedule."""

    def __init__(self, folder: Path | None, *, events: Path | None = None, **options: Any) -> None:
        torch.manual_seed(1)
        self.model = nn.Sequential(nn.Linear(3, 8), nn.Dropout(0.3), nn.Linear(8, 1))
        self.optimizer = torch.optim.AdamW(self.model.parameters(), lr=0.01)
        self.schedule = torch.optim.lr_scheduler.ExponentialLR(self.optimizer, 0.9)
        self.balancer = Balancer(4, seed=3, environment=WorkerEnvironment(events_path=events))
        self.loader = self.balancer.loader(Points(), num_steps=20)
        self.balancer.prepare(self.model, self.optimizer)
        self.balancer.keep(schedule=self.schedule)
        self.begun_at = self.balancer.checkpoint(folder, **options)
        self.losses: list[float] = []
        self.seen: list[list[int]] = []

    def train(self, num_steps: int = 20) -> Run:
        for indices, x in self.loader:
            loss = self.balancer.weigh(self.model(x).square().mean())
            loss.backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            self.schedule.step()
            self.losses.append(loss.item())
            self.seen.append(indices.tolist())
            if len(self.losses) == num_steps:
                break
        return self

    def end(self) -> Run:
        self.balancer.close()
        return self


def names(folder: Path) -> list[int]:
    """Return the steps of the checkpoints that have a manifest."""
    return sorted(int(path.parent.name.split("-")[1]) for path in folder.glob("*/manifest.json"))


def newest(folder: Path) -> Path:
    return max(path.parent for path in folder.glob("step-*/manifest.json"))


def read_events(path: Path, kind: str) -> list[dict[str, Any]]:
    return [event for line in path.read_text().splitlines() if (event := json.loads(line))["kind"] == kind]


def test_a_resumed_run_has_the_losses_of_an_undisturbed_one(tmp_path: Path) -> None:
    undisturbed = Run(None).train().end()
    first = Run(tmp_path / "kept", every_steps=5).train(11)
    first.balancer._checkpoints._checkpointer.wait()  # and then it is gone, without a word

    second = Run(tmp_path / "kept", every_steps=5).train().end()

    assert second.begun_at == 10
    assert first.losses[:10] + second.losses == undisturbed.losses
    assert first.seen[:10] + second.seen == undisturbed.seen
    assert second.schedule.state_dict() == undisturbed.schedule.state_dict()
    for mine, other in zip(second.model.parameters(), undisturbed.model.parameters(), strict=True):
        assert torch.equal(mine, other)


def test_what_is_saved_is_the_state_of_its_step_although_training_goes_on_meanwhile(tmp_path: Path) -> None:
    run = Run(tmp_path, every_steps=5)
    writer_waits = slow_down_writing(run)
    run.train(9)
    writer_waits()
    run.end()

    resumed = Run(tmp_path)
    assert resumed.begun_at == 9
    (tmp_path / newest(tmp_path).name / "manifest.json").unlink()
    at_five = Run(tmp_path).train()
    assert at_five.begun_at == 5
    assert at_five.losses == Run(None).train().losses[5:]


def slow_down_writing(run: Run) -> Callable[[], None]:
    """Have the writing thread wait until it is let go; return what lets it."""
    checkpointer = run.balancer._checkpoints._checkpointer
    go_on = threading.Event()
    storage_open = checkpointer._storage.open

    def wait_and_open(key: str, mode: str) -> Any:
        assert go_on.wait(20)
        return storage_open(key, mode)

    checkpointer._storage.open = wait_and_open
    return go_on.set


def test_only_the_newest_are_kept(tmp_path: Path) -> None:
    Run(tmp_path, every_steps=2, keep=2).train(9).end()
    assert names(tmp_path) == [8, 9]
    assert len(list(tmp_path.iterdir())) == 2


@pytest.mark.parametrize("damage", ["no_manifest", "half_a_manifest", "short", "other_bytes", "missing"])
def test_a_torn_newest_checkpoint_is_passed_over_and_told_of(tmp_path: Path, damage: str) -> None:
    kept, events = tmp_path / "kept", tmp_path / "events"
    Run(kept, every_steps=5).train(11).end()
    torn = newest(kept)
    data = next(torn.glob("*.distcp"))
    manifest = torn / "manifest.json"
    if damage == "no_manifest":
        manifest.unlink()
    elif damage == "half_a_manifest":
        manifest.write_text(manifest.read_text()[:40])
    elif damage == "short":
        data.write_bytes(data.read_bytes()[:-1])
    elif damage == "missing":
        data.unlink()
    else:
        content = bytearray(data.read_bytes())
        content[random.randrange(len(content))] ^= 1
        data.write_bytes(content)

    resumed = Run(kept, events=events)

    assert resumed.begun_at == 10
    (warning,) = read_events(events, "warning")
    assert warning["name"] == "checkpoint_skipped"
    assert torn.name in warning["message"]
    assert read_events(events, "resume")[0]["step"] == 10
    resumed.train().end()
    assert names(kept) == ([5, 10, 20] if damage == "no_manifest" else [10, 11, 20])


def test_a_process_killed_in_mid_save_leaves_the_checkpoint_before_it(tmp_path: Path) -> None:
    script = textwrap.dedent(
        """
        import sys, time
        sys.path.insert(0, sys.argv[2])
        from pathlib import Path
        from test_checkpoint_alone import Run
        run = Run(Path(sys.argv[1]), every_steps=5)
        run.train(6)
        run.balancer._checkpoints._checkpointer.wait()
        storage = run.balancer._checkpoints._checkpointer._storage
        write = storage.write
        def write_half(key, body):
            if key.endswith("manifest.json"):
                print("written all but the manifest", flush=True)
                time.sleep(60)
            write(key, body)
        storage.write = write_half
        run.train(11)
        run.end()
        """
    )
    command = [sys.executable, "-W", "ignore", "-c", script, str(tmp_path), str(Path(__file__).parent)]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"written all but the manifest\n"
        os.kill(process.pid, signal.SIGKILL)
    assert len(list(tmp_path.iterdir())) == 2
    resumed = Run(tmp_path)
    assert resumed.begun_at == 5
    assert resumed.train().end().losses == Run(None).train().losses[5:]
    assert names(tmp_path) == [5, 20]
    assert len(list(tmp_path.iterdir())) == 2  # what was torn is gone once a newer one is good


def test_a_save_that_fails_is_told_of_and_training_goes_on(tmp_path: Path) -> None:
    events = tmp_path / "events"
    run = Run(tmp_path / "kept", every_steps=5, events=events)

    def refuse(key: str, mode: str) -> Any:
        raise OSError(28, "No space left on device")

    run.balancer._checkpoints._checkpointer._storage.open = refuse
    run.train().end()
    assert len(run.losses) == 20
    warnings = read_events(events, "warning")
    assert {event["name"] for event in warnings} == {"checkpoint_failed"}
    assert "No space left on device" in warnings[0]["message"]


def test_a_folder_that_the_nodes_do_not_share_is_told_of_at_the_first_save(tmp_path: Path) -> None:
    events = tmp_path / "events"
    run = Run(tmp_path / "kept", every_steps=5, events=events)
    storage = run.balancer._checkpoints._checkpointer._storage
    exists = storage.exists
    storage.exists = lambda key: exists(key) and not key.endswith(".distcp")  # as if on another node's disk
    run.train(6).end()
    assert names(tmp_path / "kept") == []
    message = read_events(events, "warning")[0]["message"]
    assert "__0_0.distcp" in message
    assert "give a folder that all nodes share" in message


def test_each_checkpoint_is_told_of(tmp_path: Path) -> None:
    events = tmp_path / "events"
    Run(tmp_path / "kept", every_steps=10, events=events).train().end()
    told = read_events(events, "checkpoint")
    assert [event["step"] for event in told] == [10, 20]
    for event in told:
        folder = Path(event["path"])
        files = {path.name for path in folder.iterdir()} - {"manifest.json"}
        assert files == set(json.loads((folder / "manifest.json").read_text())["files"])
        assert event["num_bytes"] == sum((folder / name).stat().st_size for name in files)
        assert 0 < event["stall_s"] <= event["seconds"]


def test_gradients_that_wait_for_their_update_put_a_checkpoint_off(tmp_path: Path) -> None:
    run = Run(tmp_path, every_steps=1)
    for number, (_, x) in enumerate(run.loader, start=1):
        run.balancer.weigh(run.model(x).square().mean()).backward()
        if number % 3 == 0:
            run.optimizer.step()
            run.optimizer.zero_grad()
        if number == 8:
            break
    run.end()
    assert names(tmp_path) == [3, 6]


def test_without_a_place_nothing_is_saved_and_the_environment_may_name_one(tmp_path: Path) -> None:
    assert Run(None).train(1).end().begun_at == 0
    read = WorkerEnvironment.read(
        {
            "STEELYARD_CHECKPOINT": str(tmp_path),
            "STEELYARD_CHECKPOINT_EVERY": "7",
            "STEELYARD_CHECKPOINT_KEEP": "1",
        }
    )
    assert (read.checkpoint, read.checkpoint_every, read.checkpoint_keep) == (str(tmp_path), 7, 1)
    with pytest.raises(UsageError, match="STEELYARD_CHECKPOINT_EVERY is 0"):
        WorkerEnvironment.read({"STEELYARD_CHECKPOINT_EVERY": "0"})


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ({"path": "s3://bucket/x"}, "'s3://bucket/x'"),
        ({"path": "kept", "every_steps": 0}, "every_steps of the checkpoints is 0"),
        ({"path": "kept", "keep": 0}, "keep of the checkpoints is 0"),
    ],
)
def test_a_wrong_call_is_refused_with_its_values(options: dict[str, Any], words: str) -> None:
    run = Run(None)
    with pytest.raises(UsageError, match=words):
        run.balancer.checkpoint(**options)


def test_a_checkpoint_before_prepare_is_refused(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="before the model and the optimizer were prepared"):
        Balancer(4, environment=WorkerEnvironment()).checkpoint(tmp_path)


def test_a_checkpoint_of_another_model_is_refused(tmp_path: Path) -> None:
    Run(tmp_path).train(2).end()
    balancer = Balancer(4, environment=WorkerEnvironment())
    model = nn.Linear(7, 1)
    balancer.prepare(model, torch.optim.SGD(model.parameters(), lr=0.1))
    with pytest.raises(TrainingError, match="does not fit"):
        balancer.checkpoint(tmp_path)


def test_a_run_that_is_asked_to_end_leaves_between_two_steps_with_a_checkpoint(tmp_path: Path) -> None:
    undisturbed = Run(None).train().end()
    first = Run(tmp_path)
    first.train(5)
    os.kill(os.getpid(), signal.SIGTERM)
    with pytest.raises(SystemExit) as left:
        first.train()
    assert left.value.code == 143
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL

    second = Run(tmp_path)
    assert second.begun_at == len(first.losses)
    assert first.losses + second.train().end().losses == undisturbed.losses


def test_a_run_that_is_asked_to_end_while_it_writes_its_last_checkpoint_writes_it(tmp_path: Path) -> None:
    run = Run(tmp_path)
    storage = run.balancer._checkpoints._checkpointer._storage
    write = storage.write

    def write_and_be_asked(key: str, body: bytes) -> None:
        if key.endswith("manifest.json"):
            os.kill(os.getpid(), signal.SIGTERM)
        write(key, body)

    storage.write = write_and_be_asked
    run.train().end()
    assert names(tmp_path) == [20]
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_DFL


def test_a_script_that_takes_sigterm_itself_keeps_it(tmp_path: Path) -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    Run(tmp_path).train(1).end()
    assert signal.getsignal(signal.SIGTERM) is signal.SIG_IGN
