"""Each sample of an epoch goes to one worker once, whatever the shares and whoever shares."""

from __future__ import annotations

import itertools
import json
from collections import Counter

import torch
from hypothesis import given
from hypothesis import strategies as st

from steelyard.balance import Shares, split_equally
from steelyard.training.window import Cursor, Window, WindowSampler


@st.composite
def share_sequences(draw: st.DrawFn) -> list[Shares]:
    """Shares of one global batch over the same workers, different at every step, zeros included."""
    global_batch = draw(st.integers(1, 40))
    num_workers = draw(st.integers(1, 5))
    cuts = st.lists(st.integers(0, global_batch), min_size=num_workers - 1, max_size=num_workers - 1)
    sequence = []
    for ends in draw(st.lists(cuts, min_size=1, max_size=8)):
        edges = [0, *sorted(ends), global_batch]
        sequence.append(tuple(after - before for before, after in itertools.pairwise(edges)))
    return sequence


def draw_all(
    num_samples: int,
    sequence: list[Shares],
    cursor: Cursor,
    last_step: int | None = None,
    shuffle: bool = True,
) -> list[tuple[Window, list[list[int]]]]:
    """Return every window of an iteration with what each worker was given."""
    per_worker = []
    for rank in range(len(sequence[0])):
        sampler = WindowSampler(
            num_samples, rank=rank, shares_at=lambda step: sequence[step % len(sequence)], shuffle=shuffle
        )
        sampler.rewind(cursor, last_step)
        batches = list(sampler)
        per_worker.append(
            [(window, batch) for (window, _), batch in zip(sampler.drawn, batches, strict=True)]
        )
    drawn = []
    for parts in zip(*per_worker, strict=True):
        assert len({window for window, _ in parts}) == 1, "the workers cut the window differently"
        window = parts[0][0]
        drawn.append((window, [batch for _, batch in parts]))
    return drawn


def counted(drawn: list[tuple[Window, list[list[int]]]]) -> list[int]:
    """Return the indices that count, in the order of windows; a zero share's dummy does not."""
    return [
        index
        for window, batches in drawn
        for share, batch in zip(window.shares, batches, strict=True)
        if share
        for index in batch
    ]


@given(st.integers(1, 300), share_sequences(), st.integers(0, 99))
def test_every_sample_of_an_epoch_is_given_out_exactly_once(
    num_samples: int, sequence: list[Shares], seed: int
) -> None:
    drawn = draw_all(num_samples, sequence, Cursor(seed=seed))
    assert Counter(counted(drawn)) == Counter(range(num_samples))


@given(st.integers(1, 200), share_sequences())
def test_the_windows_do_not_depend_on_the_shares(num_samples: int, sequence: list[Shares]) -> None:
    alone = draw_all(num_samples, [(sum(sequence[0]),)], Cursor(seed=5))
    shared = draw_all(num_samples, sequence, Cursor(seed=5))
    assert [batches[0] for _, batches in alone] == [counted([step]) for step in shared]


@given(st.integers(1, 200), share_sequences(), st.integers(0, 20))
def test_a_zero_share_gets_one_dummy_of_weight_zero(
    num_samples: int, sequence: list[Shares], seed: int
) -> None:
    for window, batches in draw_all(num_samples, sequence, Cursor(seed=seed)):
        weights = [window.weight(rank) for rank in range(len(batches))]
        assert abs(sum(weights) - 1.0) < 1e-12
        for share, batch, weight in zip(window.shares, batches, weights, strict=True):
            assert len(batch) == max(share, 1)
            assert (weight == 0.0) == (share == 0)


@given(st.integers(1, 120), share_sequences(), st.integers(1, 30), st.data())
def test_a_run_resumed_with_other_workers_sees_the_same_samples(
    num_samples: int, sequence: list[Shares], num_steps: int, data: st.DataObject
) -> None:
    cut = data.draw(st.integers(0, num_steps))
    whole = draw_all(num_samples, sequence, Cursor(seed=2), last_step=num_steps)
    before = draw_all(num_samples, sequence, Cursor(seed=2), last_step=cut)
    cursor = Cursor(seed=2)
    for _ in before:
        _, cursor = cursor.cut(num_samples, sequence[0])
    cursor = Cursor(**json.loads(json.dumps(cursor.state_dict())))
    others = [split_equally(sum(sequence[0]), data.draw(st.integers(1, 4)))]
    after = draw_all(num_samples, others, cursor, last_step=num_steps)
    assert counted(before) + counted(after) == counted(whole)


def test_the_last_window_is_short_and_weighted_by_its_true_size() -> None:
    drawn = draw_all(100, [(21, 20, 7)], Cursor(seed=0))
    assert [window.num_samples for window, _ in drawn] == [48, 48, 4]
    assert drawn[-1][0].shares == (1, 2, 1)
    assert [drawn[-1][0].weight(rank) for rank in range(3)] == [0.25, 0.5, 0.25]


def test_epochs_and_seeds_are_different_permutations() -> None:
    first, second, other = (
        counted(draw_all(64, [(64,)], Cursor(seed=seed, epoch=epoch)))
        for seed, epoch in ((0, 0), (0, 1), (1, 0))
    )
    assert len({tuple(first), tuple(second), tuple(other)}) == 3


def test_unshuffled_samples_come_in_the_datasets_order() -> None:
    assert counted(draw_all(10, [(2, 1)], Cursor(seed=0), shuffle=False)) == list(range(10))


def test_drawing_leaves_the_scripts_random_numbers_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(1)
    torch.manual_seed(7)
    draw_all(50, [(8, 8)], Cursor(seed=3))
    assert torch.equal(torch.rand(1), expected)
