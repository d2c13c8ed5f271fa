"""Jobs on disk: a private folder each, with the record, the package, the log and the events."""

from __future__ import annotations

import json
import logging
import os
import re
import shutil
from collections.abc import Sequence
from pathlib import Path

from steelyard.node.job.log import BoundedLog
from steelyard.node.job.record import JobRecord

logger = logging.getLogger(__name__)

_JOB_ID = re.compile(r"job-[0-9a-f]{12}")


class JobStore:
    """Keeps jobs in a folder that only its owner can read.

    Args:
        folder: Where the jobs' folders are; made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        self._logs: dict[Path, BoundedLog] = {}

    def load(self) -> Sequence[JobRecord]:
        """Return all jobs, oldest first; a folder without a readable record is left alone."""
        records = []
        for folder in self._folder.iterdir():
            try:
                records.append(JobRecord.from_state(json.loads((folder / "job.json").read_text())))
            except (OSError, ValueError) as error:
                logger.warning("no job is read from %s: %s", folder, error)
        return sorted(records, key=lambda record: (record.created_at, record.id))

    def save(self, record: JobRecord) -> None:
        """Write a job's record, whole or not at all; it is on disk when this returns."""
        self._write(record.id, "job.json", json.dumps(record.to_state(), indent=1).encode())

    def save_package(self, job_id: str, package: bytes) -> None:
        """Write a job's package."""
        self._write(job_id, "package.tar.gz", package)

    def package(self, job_id: str) -> bytes:
        """Return a job's package."""
        return (self._job_folder(job_id) / "package.tar.gz").read_bytes()

    def drop_package(self, job_id: str) -> None:
        """Delete a job's package, which nothing needs after its end."""
        (self._job_folder(job_id) / "package.tar.gz").unlink(missing_ok=True)

    def log(self, job_id: str) -> BoundedLog:
        """Return a job's log: its workers' output."""
        return self._bounded(self._job_folder(job_id) / "job.log")

    def events(self, job_id: str) -> BoundedLog:
        """Return a job's training events, one JSON object a line."""
        return self._bounded(self._job_folder(job_id) / "events.jsonl")

    def delete(self, job_id: str) -> None:
        """Delete all of a job."""
        folder = self._job_folder(job_id)
        shutil.rmtree(folder, ignore_errors=True)
        self._logs = {path: log for path, log in self._logs.items() if path.parent != folder}

    def _bounded(self, path: Path) -> BoundedLog:
        if path not in self._logs:
            self._logs[path] = BoundedLog(path)
        return self._logs[path]

    def _job_folder(self, job_id: str) -> Path:
        if not _JOB_ID.fullmatch(job_id):
            raise ValueError(f"{job_id!r} is not a job id")
        return self._folder / job_id

    def _write(self, job_id: str, name: str, body: bytes) -> None:
        folder = self._job_folder(job_id)
        folder.mkdir(exist_ok=True, mode=0o700)
        unfinished = folder / f".{name}.new"
        descriptor = os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
        with open(descriptor, "wb") as file:
            file.write(body)
            file.flush()
            os.fsync(file.fileno())
        os.replace(unfinished, folder / name)
