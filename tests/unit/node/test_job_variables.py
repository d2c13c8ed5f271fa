"""What is asked for with a job reaches its workers by their environment."""

from __future__ import annotations

from steelyard.node.job.actor import asked_variables
from steelyard.node.job.record import JobRecord
from steelyard.training.environment import WorkerEnvironment


def record(**fields: object) -> JobRecord:
    return JobRecord(
        id="job-1",
        name="run",
        script="train.py",
        accepted_by="i-0",
        created_at="2026-01-01T00:00:00Z",
        **fields,
    )


def test_a_job_that_asks_for_nothing_says_nothing() -> None:
    assert asked_variables(record()) == {}


def test_a_worker_reads_what_its_job_asked_for() -> None:
    variables = asked_variables(record(peer_timeout_s=4.5, checkpoint="/mnt/run", checkpoint_every=7))
    place = WorkerEnvironment.read(variables)
    assert (place.peer_timeout_s, place.checkpoint, place.checkpoint_every) == (4.5, "/mnt/run", 7)
    elastic = WorkerEnvironment.read(variables | {"STEELYARD_LIGHTHOUSE": "http://127.0.0.1:1"}).elastic
    assert elastic is not None
    assert elastic.peer_timeout_s == 4.5
