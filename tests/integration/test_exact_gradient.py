"""Three real workers reproduce the gradient of one process on the whole batch, whatever the shares."""

from __future__ import annotations

import pytest
from gradient_service import GradientService

SPLITS = ["equal", "by speed", "lopsided", "one zero", "two zeros"]


@pytest.fixture(scope="module")
def errors(gradient_service: GradientService) -> dict[str, float]:
    """Largest absolute differences to one process, over all workers."""
    results = gradient_service.ask("split_errors")
    return {name: max(result[name] for result in results) for name in results[0]}


@pytest.mark.parametrize("split", SPLITS)
def test_the_gradient_is_that_of_the_global_batch_in_double_precision(
    errors: dict[str, float], split: str
) -> None:
    assert errors[f"{split}, float64"] <= 1e-12


@pytest.mark.parametrize("split", SPLITS)
def test_the_gradient_is_that_of_the_global_batch_in_single_precision(
    errors: dict[str, float], split: str
) -> None:
    assert errors[f"{split}, float32"] <= 1e-6 * errors["largest gradient"] * 10


@pytest.mark.parametrize("split", SPLITS)
def test_accumulation_over_micro_batches_changes_nothing(errors: dict[str, float], split: str) -> None:
    assert errors[f"{split}, accumulated"] <= 1e-12


@pytest.mark.parametrize("case", ["unused parameters", "many buckets", "clipped"])
def test_the_gradient_stays_exact_with(errors: dict[str, float], case: str) -> None:
    assert errors[case] <= 1e-12


def test_training_with_ever_changing_shares_ends_at_the_parameters_of_one_process(
    errors: dict[str, float],
) -> None:
    assert errors["parameters after 30 steps"] <= 1e-10


@pytest.mark.parametrize("control", ["plain DDP, uncorrected", "wrong weight"])
def test_without_the_right_weight_the_gradient_would_be_wrong(errors: dict[str, float], control: str) -> None:
    assert errors[control] > 1e-2 * errors["largest gradient"]
