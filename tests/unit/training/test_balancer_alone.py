"""`Balancer` with one worker: the loop, the events, the state, and what it refuses."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from torch import nn
from torch.utils.data import Dataset, IterableDataset

from steelyard.balance import EqualPolicy
from steelyard.errors import TrainingError, UsageError
from steelyard.training import Balancer
from steelyard.training.environment import WorkerEnvironment


class Numbers(Dataset[tuple[int, torch.Tensor]]):
    def __init__(self, length: int) -> None:
        self.length = length

    def __len__(self) -> int:
        return self.length

    def __getitem__(self, index: int) -> tuple[int, torch.Tensor]:
        return index, torch.full((2,), float(index))


class Run:
    """A training run of one worker on a linear model."""

    def __init__(
        self, length: int = 10, *, environment: WorkerEnvironment | None = None, **options: Any
    ) -> None:
        self.balancer = Balancer(4, environment=environment or WorkerEnvironment(), **options)
        self.dataset = Numbers(length)
        self.model: nn.Module = nn.Linear(2, 1)
        self.optimizer = torch.optim.SGD(self.model.parameters(), lr=1e-6)
        self.model = self.balancer.prepare(self.model, self.optimizer)
        self.seen: list[list[int]] = []

    def train(self, limit: int | None = None, **options: Any) -> None:
        loader = self.balancer.loader(self.dataset, **options)
        for indices, x in loader:
            self.seen.append(indices.tolist())
            self.balancer.weigh(self.model(x).mean()).backward()
            self.optimizer.step()
            self.optimizer.zero_grad()
            if limit is not None and len(self.seen) >= limit:
                break


def flat(batches: list[list[int]]) -> list[int]:
    return [index for batch in batches for index in batch]


def read_events(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_importing_the_package_leaves_torch_alone() -> None:
    code = "import sys, steelyard.training; assert 'torch' not in sys.modules, 'torch was imported'"
    subprocess.run([sys.executable, "-c", code], check=True, timeout=110)


def test_an_unknown_name_of_the_package_is_an_attribute_error() -> None:
    import steelyard.training

    with pytest.raises(AttributeError, match="Trainer"):
        _ = steelyard.training.Trainer


def test_one_iteration_is_one_epoch_and_the_next_another_order() -> None:
    run = Run()
    run.train()
    run.train()
    assert [len(batch) for batch in run.seen] == [4, 4, 2, 4, 4, 2]
    first, second = flat(run.seen[:3]), flat(run.seen[3:])
    assert sorted(first) == sorted(second) == list(range(10))
    assert first != second
    assert run.balancer.epoch == 2
    run.balancer.close()


def test_a_number_of_steps_goes_over_as_many_epochs_as_it_takes() -> None:
    run = Run()
    run.train(num_steps=7)
    assert len(run.seen) == 7
    assert len(run.balancer.loader(run.dataset, num_steps=9)) == 2
    run.balancer.close()


def test_a_loop_left_early_is_taken_up_where_it_was_left() -> None:
    run = Run()
    run.train(limit=1)
    run.train()
    assert sorted(flat(run.seen)) == list(range(10))
    run.balancer.close()


def test_a_prefetching_loader_gives_the_same_samples() -> None:
    plain, prefetching = Run(), Run()
    plain.train(num_steps=6)
    prefetching.train(num_steps=6, num_workers=1)
    assert plain.seen == prefetching.seen
    assert prefetching.balancer.step == 6


def test_state_survives_json_and_resumes_at_the_next_step() -> None:
    whole, before, after = Run(seed=3), Run(seed=3), Run(seed=99)
    whole.train(num_steps=8)
    before.train(num_steps=8, limit=3)
    after.balancer.load_state_dict(json.loads(json.dumps(before.balancer.state_dict())))
    after.train(num_steps=8)
    assert before.seen + after.seen == whole.seen


def test_state_of_another_dataset_is_refused() -> None:
    before, after = Run(length=10), Run(length=11)
    before.train()
    after.balancer.load_state_dict(before.balancer.state_dict())
    with pytest.raises(UsageError, match="10 samples, and this one has 11"):
        after.train()


def test_state_of_another_version_is_refused() -> None:
    with pytest.raises(UsageError, match="version 7"):
        Run().balancer.load_state_dict({"version": 7})


def test_events_tell_of_every_step_metric_and_result(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    with (run := Run(environment=WorkerEnvironment(node_id="i-1", events_path=path))).balancer as balancer:
        balancer.metric("bits_per_char", 6.5)
        run.train(num_steps=3)
        balancer.metric("bits_per_char", 3.5)
        balancer.result({"steps": 3})
    events = read_events(path)
    assert [event["kind"] for event in events] == ["metric", "step", "step", "step", "metric", "result"]
    assert [event["step"] for event in events[:-1]] == [0, 1, 2, 3, 3]
    step = events[1]
    assert step["total_steps"] == 3
    assert step["global_batch"] == 4
    assert step["is_imitated"] is False
    assert step["samples_per_s"] > 0
    assert step["nodes"][0]["node_id"] == "i-1"
    assert step["nodes"][0]["share"] == 4
    assert events[3]["global_batch"] == 2
    assert events[5]["values"] == {"steps": 3}


def test_an_imitated_step_takes_its_time_and_says_so(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    place = WorkerEnvironment(events_path=path, imitated_speed=0.5)
    run = Run(environment=place, imitated_sample_s=0.005)
    run.train(num_steps=5)
    run.balancer.close()
    steps = [event for event in read_events(path) if event["kind"] == "step"]
    assert all(step["is_imitated"] for step in steps)
    assert steps[-1]["nodes"][0]["compute_s"] >= 0.04
    assert steps[-1]["nodes"][0]["samples_per_s"] <= 100.0


def test_a_pace_that_real_computing_cannot_hold_is_warned_of(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    run = Run(environment=WorkerEnvironment(events_path=path, imitated_speed=1e6))
    run.train(num_steps=8)
    run.balancer.close()
    events = read_events(path)
    warnings = [event for event in events if event["kind"] == "warning"]
    assert [event["name"] for event in warnings] == ["pace_not_held"]
    assert "rank-0 did not hold its pace in 3 of 4 steps" in warnings[0]["message"]
    assert not any(event["is_pace_held"] for event in events if event["kind"] == "step")


def test_the_slow_first_step_of_an_imitated_run_is_no_warning(tmp_path: Path) -> None:
    path = tmp_path / "events.jsonl"
    run = Run(environment=WorkerEnvironment(events_path=path, imitated_speed=1.0))
    run.train(num_steps=3)
    run.balancer.close()
    assert {event["kind"] for event in read_events(path)} == {"step"}


def test_without_an_events_path_nothing_is_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    run = Run()
    run.train()
    run.balancer.close()
    assert list(tmp_path.iterdir()) == []


def test_the_environment_chooses_the_policy(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STEELYARD_BALANCE", "fair")
    with pytest.raises(UsageError, match="fair"):
        Balancer(4)


@pytest.mark.parametrize("option", ["batch_size", "sampler", "batch_sampler", "drop_last"])
def test_the_loaders_order_and_size_are_not_for_options(option: str) -> None:
    with pytest.raises(UsageError, match=option):
        Run().balancer.loader(Numbers(4), **{option: 1})


def test_a_stream_cannot_be_shared_out_by_index() -> None:
    class Stream(IterableDataset[int]):
        def __iter__(self) -> Iterator[int]:
            return iter(range(4))

    with pytest.raises(UsageError, match="Stream"):
        Run().balancer.loader(Stream())


def test_an_empty_dataset_or_batch_is_refused() -> None:
    with pytest.raises(UsageError, match="Numbers"):
        Run().balancer.loader(Numbers(0))
    with pytest.raises(UsageError, match="0 samples"):
        Balancer(0, environment=WorkerEnvironment())


def test_micro_batches_give_the_same_samples_and_the_same_training() -> None:
    whole, cut = Run(seed=3), Run(seed=3, micro_batch=2)
    cut.model.load_state_dict(whole.model.state_dict())
    whole.train(num_steps=6)
    seen = []
    for micro_batches in cut.balancer.loader(cut.dataset, num_steps=6).steps():
        step = []
        for indices, x in micro_batches:
            step.append(indices.tolist())
            cut.balancer.weigh(cut.model(x).mean()).backward()
        assert len(step) == len(micro_batches)
        cut.optimizer.step()
        cut.optimizer.zero_grad()
        seen.append(step)
    assert [flat(step) for step in seen] == whole.seen
    assert {len(batch) for step in seen for batch in step} == {2}
    for mine, other in zip(cut.model.parameters(), whole.model.parameters(), strict=True):
        assert torch.allclose(mine, other)


def test_micro_batches_may_be_prefetched() -> None:
    run = Run(micro_batch=2)
    steps = run.balancer.loader(run.dataset, num_workers=1).steps()
    assert sorted(index for step in steps for indices, _ in step for index in indices.tolist()) == [
        *range(10)
    ]


def test_a_micro_batch_left_out_is_an_error() -> None:
    run = Run(micro_batch=2)
    steps = run.balancer.loader(run.dataset).steps()
    next(iter(next(steps)))
    with pytest.raises(TrainingError, match="1 of 2 micro-batches of step 0 were left out"):
        next(steps)


def test_a_lone_workers_accumulated_tokens_make_one_mean() -> None:
    run = Run(micro_batch=1)
    x, num_tokens = torch.randn(4, 2), [3, 0, 5, 2]
    for micro_batches in run.balancer.loader(Numbers(4)).steps():
        for index, _ in enumerate(micro_batches):
            loss = run.model(x[index]).sum()
            run.balancer.weigh(loss, num_tokens=num_tokens[index]).backward()
    weights = torch.tensor(num_tokens) / sum(num_tokens)
    assert torch.allclose(next(run.model.parameters()).grad, (weights[:, None] * x).sum(dim=0)[None])


def test_bounds_are_not_for_a_policy_of_ones_own() -> None:
    with pytest.raises(UsageError, match="the policy given, a EqualPolicy"):
        Balancer(4, policy=EqualPolicy(), max_share=2, environment=WorkerEnvironment())


def test_a_lone_worker_that_cannot_take_the_batch_is_refused() -> None:
    with pytest.raises(UsageError, match="together less than the global batch of 4"):
        Balancer(4, max_share=2, environment=WorkerEnvironment())


def test_workers_have_seeds_of_their_own() -> None:
    balancers = [Balancer(4, seed=seed, environment=WorkerEnvironment()) for seed in (1, 1, 2)]
    same, also, other = (balancer.worker_seed for balancer in balancers)
    assert same == also != other
    torch.manual_seed(same)


def test_a_lone_worker_is_no_straggler() -> None:
    run = Run()
    run.train(num_steps=6)
    assert run.balancer.stragglers == ()
