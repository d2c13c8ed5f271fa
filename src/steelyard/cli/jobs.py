"""`steelyard jobs`."""

from __future__ import annotations

import sys

from steelyard.cli.console import ClusterName, OutputFormat, print_json, print_table, stderr
from steelyard.cli.job_view import show
from steelyard.cli.target import cluster_named


def list_jobs(*, cluster: ClusterName = None, output: OutputFormat = "text") -> None:
    """List the cluster's jobs.

    **Example**: `steelyard jobs list --output json`

    Args:
        cluster: Name of the cluster.
        output: Form of what is printed on stdout.
    """
    with cluster_named(cluster).gateway() as gateway:
        records = gateway.jobs()
    if output == "json":
        print_json({"jobs": records})
        return
    columns = ("id", "name", "state", "accepted_by", "created_at", "ended_at")
    print_table("Jobs", columns, [[record.get(column) for column in columns] for record in records])


def show_job(job_id: str, /, *, cluster: ClusterName = None, output: OutputFormat = "text") -> None:
    """Show one job: its state, its training's last step by worker, and what balancing gained so far.

    What was gained is an estimate: the length of each step against the one that it would have had with equal shares, by
    the seconds per sample at which its workers were measured.

    **Example**: `steelyard jobs show job-1f2e3d`

    Args:
        job_id: Id of the job.
        cluster: Name of the cluster.
        output: Form of what is printed on stdout.
    """
    with cluster_named(cluster).gateway() as gateway:
        record = gateway.job(job_id)
    if output == "json":
        print_json(record)
        return
    show(record)


def logs_job(job_id: str, /, *, follow: bool = False, cluster: ClusterName = None) -> None:
    """Print a job's log.

    **Example**: `steelyard jobs logs job-1f2e3d --follow`

    Args:
        job_id: Id of the job.
        follow: Keep printing until the job ends.
        cluster: Name of the cluster.
    """
    with cluster_named(cluster).gateway() as gateway:
        for line in gateway.logs(job_id, follow=follow):
            sys.stdout.write(line + "\n")
            sys.stdout.flush()


def cancel_job(job_id: str, /, *, cluster: ClusterName = None, output: OutputFormat = "text") -> None:
    """Cancel a job.

    **Example**: `steelyard jobs cancel job-1f2e3d`

    Args:
        job_id: Id of the job.
        cluster: Name of the cluster.
        output: Form of what is printed on stdout.
    """
    with cluster_named(cluster).gateway() as gateway:
        record = gateway.cancel(job_id)
    if output == "json":
        print_json(record)
        return
    stderr().print(f"{job_id} is {record['state']}")
