"""What differs between a fixed set of workers and one that comes and goes: chosen by the environment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

import torch
from torch import nn

from steelyard.balance import Policy
from steelyard.training.attachment import attach, wrap
from steelyard.training.cycle import StepCycle
from steelyard.training.elastic_cycle import ElasticCycle
from steelyard.training.elastic_loader import ElasticLoader
from steelyard.training.elastic_model import prepare_elastic
from steelyard.training.elastic_team import ElasticTeam
from steelyard.training.environment import WorkerEnvironment
from steelyard.training.exchange import Exchange
from steelyard.training.gradient import CommunicationHook, refuse_inexact
from steelyard.training.loader import BalancedLoader
from steelyard.training.plan import SharePlan
from steelyard.training.team import Team
from steelyard.training.token_count import TokenCount


def make_team(place: WorkerEnvironment, *, timeout: timedelta | None) -> Team | ElasticTeam:
    """Return the workers: met once for the run, or anew for every step where there is a lighthouse.

    Args:
        place: This worker's place.
        timeout: How long a collective waits; where None what the environment says, else torch's default in a fixed
            team, and `elastic_environment.DEFAULT_PEER_TIMEOUT_S` where there is a lighthouse.
    """
    if place.elastic is None:
        if timeout is None and place.peer_timeout_s is not None:
            timeout = timedelta(seconds=place.peer_timeout_s)
        return Team(place, timeout=timeout)
    elastic = place.elastic
    if timeout is not None:
        elastic = replace(elastic, peer_timeout_s=timeout.total_seconds())
    return ElasticTeam(elastic, rank=place.rank, world_size=place.world_size)


def make_cycle(
    team: Team | ElasticTeam,
    facts: Mapping[str, Any],
    *,
    policy: Policy,
    begin_term: Callable[[Sequence[Mapping[str, Any]]], Policy],
    first_plan: Callable[[], SharePlan],
    **options: Any,
) -> StepCycle:
    """Return what follows the steps of a team.

    Args:
        team: The workers.
        facts: What this worker tells of itself; JSON values.
        policy: Chooses the first shares.
        begin_term: Takes what all of a new quorum tell of themselves, and gives its policy.
        first_plan: Gives the first shares of the team.
        **options: Further arguments of `StepCycle`.
    """
    if isinstance(team, ElasticTeam):
        return ElasticCycle(
            team=team,
            policy=policy,
            begin_term=begin_term,
            first_plan=first_plan,
            introduction=facts,
            **options,
        )
    return StepCycle(
        rank=team.rank,
        policy=policy,
        plan=first_plan(),
        exchange=Exchange(team.rank, team.world_size, team.group),
        tokens=TokenCount(team.group),
        **options,
    )


def loader_for(cycle: StepCycle) -> type[BalancedLoader]:
    """Return the kind of loader that gives windows to what follows the steps."""
    return ElasticLoader if isinstance(cycle, ElasticCycle) else BalancedLoader


def prepare_for(
    cycle: StepCycle,
    model: nn.Module,
    optimizer: torch.optim.Optimizer,
    *,
    world_size: int,
    is_equal: bool,
    inner_hook: CommunicationHook | None,
    inner_state: Any,
    ddp_options: dict[str, Any],
) -> nn.Module:
    """Have a model's gradients weighed and its steps followed; see `Balancer.prepare`.

    Args:
        cycle: Follows the steps.
        model: The model.
        optimizer: The optimizer of its parameters.
        world_size: Number of workers.
        is_equal: Whether all workers get alike.
        inner_hook: A communication hook for the weighed gradients.
        inner_state: What it is called with.
        ddp_options: Options of `DistributedDataParallel`.

    Returns:
        The model to train with.
    """
    if isinstance(cycle, ElasticCycle):
        refuse_inexact(model, has_unequal_shares=True)
        hook = {"inner_hook": inner_hook} if inner_hook else {}
        return prepare_elastic(model, optimizer, cycle, ddp_options | hook)
    is_unequal = world_size > 1 and not is_equal
    refuse_inexact(model, has_unequal_shares=is_unequal)
    model = wrap(model, world_size=world_size, has_unequal_shares=is_unequal, ddp_options=ddp_options)
    attach(model, optimizer, cycle, world_size=world_size, inner_hook=inner_hook, inner_state=inner_state)
    return model
