"""A worker is elastic where it is told of a lighthouse."""

from __future__ import annotations

import pytest

from steelyard.errors import UsageError
from steelyard.training.elastic_environment import ElasticEnvironment
from steelyard.training.environment import WorkerEnvironment


def test_without_a_lighthouse_the_set_of_workers_is_fixed() -> None:
    assert ElasticEnvironment.read({"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": "1"}) is None
    assert WorkerEnvironment.read({}).elastic is None


def test_what_the_launcher_sets_is_read() -> None:
    elastic = WorkerEnvironment.read(
        {
            "STEELYARD_LIGHTHOUSE": "127.0.0.1:29510",
            "STEELYARD_NODE_ADDRESS": "127.0.0.2",
            "STEELYARD_MIN_WORKERS": "2",
            "STEELYARD_PEER_TIMEOUT_S": "2.5",
            "TORCHELASTIC_RESTART_COUNT": "3",
            "MASTER_ADDR": "127.0.0.1",
            "MASTER_PORT": "29500",
        }
    ).elastic
    assert elastic == ElasticEnvironment(
        lighthouse="http://127.0.0.1:29510",
        address="127.0.0.2",
        min_workers=2,
        restart_count=3,
        peer_timeout_s=2.5,
        master_address="127.0.0.1",
        master_port=29500,
    )


@pytest.mark.parametrize("text", ["soon", "-1", "inf", "nan"])
def test_a_timeout_that_is_none_is_refused_by_name(text: str) -> None:
    with pytest.raises(UsageError, match="STEELYARD_PEER_TIMEOUT_S"):
        ElasticEnvironment.read({"STEELYARD_LIGHTHOUSE": "127.0.0.1:1", "STEELYARD_PEER_TIMEOUT_S": text})
