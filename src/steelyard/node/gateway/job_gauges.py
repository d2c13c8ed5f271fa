"""What running jobs reach, as metrics: from each one's last step event."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from prometheus_client import CollectorRegistry, Gauge

from steelyard.node.job.record import JobState

_JOB = ("job_id", "is_imitated")
_WORKER = ("job_id", "is_imitated", "rank", "node_id")
_OF_JOB = {
    "step": ("steelyard_job_step", "Steps made"),
    "total_steps": ("steelyard_job_total_steps", "Steps that the training will make"),
    "loss": ("steelyard_job_loss", "Mean loss over the global batch"),
    "global_batch": ("steelyard_job_global_batch", "Samples of a step over all workers"),
    "samples_per_s": ("steelyard_job_samples_per_s", "Samples per second"),
    "seconds": ("steelyard_job_step_seconds", "Length of a step"),
    "communicate_s": (
        "steelyard_job_communicate_seconds",
        "Part of a step that was neither computing nor waiting for the slowest worker",
    ),
    "eta_s": ("steelyard_job_eta_seconds", "Estimated time to the end of training"),
}
_OF_WORKER = {
    "share": ("steelyard_worker_share", "Samples of the step that the worker computes"),
    "samples_per_s": ("steelyard_worker_samples_per_s", "Samples per second of the worker's own computing"),
    "compute_s": ("steelyard_worker_compute_seconds", "Part of the step that the worker computed"),
    "wait_s": ("steelyard_worker_wait_seconds", "Part of the step that the worker waited for the slowest"),
}
_NOTE = " in the last step of a running job; is_imitated tells whether accelerators are imitated"


class JobGauges:
    """One gauge for each figure of a step event.

    Args:
        registry: Holds them.
    """

    def __init__(self, registry: CollectorRegistry) -> None:
        def gauges(names: Mapping[str, tuple[str, str]], labels: Sequence[str]) -> dict[str, Gauge]:
            return {
                key: Gauge(name, words + _NOTE, labels, registry=registry)
                for key, (name, words) in names.items()
            }

        self._of_job = gauges(_OF_JOB, _JOB)
        self._of_worker = gauges(_OF_WORKER, _WORKER)
        self._speedup = Gauge(
            "steelyard_job_balance_speedup",
            "Estimated samples per second over those of equal shares, over all measured steps of a running job",
            _JOB,
            registry=registry,
        )

    def clear(self) -> None:
        """Forget every job."""
        for gauge in (*self._of_job.values(), *self._of_worker.values(), self._speedup):
            gauge.clear()

    def set(self, jobs: Sequence[Mapping[str, Any]]) -> None:
        """Show the running ones of these jobs, and no others.

        Args:
            jobs: Records as the API gives them.
        """
        self.clear()
        for job in jobs:
            event = job.get("last_event")
            if job["state"] != JobState.RUNNING.value or not event:
                continue
            labels = {"job_id": job["id"], "is_imitated": "true" if event.get("is_imitated") else "false"}
            for key, value in _numbers(event, self._of_job):
                self._of_job[key].labels(**labels).set(value)
            for node in event.get("nodes", ()):
                of_worker = labels | {"rank": str(node.get("rank")), "node_id": str(node.get("node_id"))}
                for key, value in _numbers(node, self._of_worker):
                    self._of_worker[key].labels(**of_worker).set(value)
            for _, value in _numbers(job.get("gain") or {}, ("speedup",)):
                self._speedup.labels(**labels).set(value)


def _numbers(
    values: Mapping[str, Any], names: Mapping[str, Any] | Sequence[str]
) -> Iterator[tuple[str, float]]:
    """Give those of the named values that are numbers: events are written by scripts."""
    for name in names:
        value = values.get(name)
        if isinstance(value, int | float) and not isinstance(value, bool):
            yield name, value
