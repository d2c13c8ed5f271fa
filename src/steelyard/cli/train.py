"""`steelyard train`."""

from __future__ import annotations

import base64
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Annotated, Any, Literal

from cyclopts import Parameter
from rich.markup import escape

from steelyard.cli.console import ClusterName, OutputFormat, print_json, stderr
from steelyard.cli.target import cluster_named, home
from steelyard.cli.train_progress import TrainProgress
from steelyard.errors import GatewayError, TrainingError, UsageError
from steelyard.localcloud.daemon import LOCK_NAME as CLOUD_LOCK
from steelyard.node.client import GatewayClient
from steelyard.node.packing import pack_folder

NUM_LAST_LINES = 20
"""How many of its last lines a failed job shows."""

START_PATIENCE_S = 2.0
"""Seconds after which a job that has not started is told to be queued."""

_LOOK_S = 0.2

_STORE_EXPORT = "checkpoint_url"
_PLACES = (
    "give the absolute path of a folder that all nodes share, oss://BUCKET/PREFIX, or a name in the cluster's own store"
    " (`checkpoints:` in the cluster file)"
)


def train(
    script: Path,
    /,
    *args: Annotated[str, Parameter(allow_leading_hyphen=True)],
    balance: Literal["speed", "equal"] = "speed",
    num_nodes: int | None = None,
    nodes: str | None = None,
    nproc_per_node: int | None = None,
    checkpoint: str | None = None,
    checkpoint_every: int | None = None,
    checkpoint_keep: int | None = None,
    peer_timeout_s: float | None = None,
    name: str | None = None,
    detach: bool = False,
    cluster: ClusterName = None,
    output: OutputFormat = "text",
) -> None:
    """Train with a script on the cluster's nodes: pack its folder, submit it, and follow it to its end.

    What stands after the script goes to the script; where an option of it has the name of one of these, put it after
    `--`. Ctrl-C stops following, not the job.

    **Examples**

    `steelyard train examples/char_lm/train.py --steps 200`

    `steelyard train --balance equal --num-nodes 2 train.py -- --name run-1`

    `steelyard train --nodes 2:4 --checkpoint oss://my-bucket/run-1 --checkpoint-every 200 train.py`

    Args:
        script: The script; the folder that holds it goes along, but for version control, caches, virtual environments
            and what Steelyard itself keeps there.
        args: Arguments for the script.
        balance: Share out the global batch by measured speed, or equally.
        num_nodes: How many nodes to train on; all where it is not given.
        nodes: How many nodes, as `MIN:MAX`: the job starts with those that are free, goes on while MIN live, and takes
            in nodes that are added or come back, up to MAX.
        nproc_per_node: Workers on each node; one for each accelerator, and one where there is none, where it is not
            given.
        checkpoint: Where the script's `Balancer.checkpoint()` saves: absolute path of a folder that all nodes share,
            `oss://BUCKET/PREFIX`, or a name in the cluster's own store, where it has one. The job goes on from the
            newest good checkpoint there, and where workers are lost that it cannot go on without, they are started
            anew from it.
        checkpoint_every: Steps from one checkpoint to the next; the script's own where it is not given.
        checkpoint_keep: How many checkpoints are kept; the script's own where it is not given, else 3.
        peer_timeout_s: Seconds after which a worker that answers nothing counts as hung, 1 or more: with `--nodes
            MIN:MAX` the others then go on without it, else the job fails. Where it is not given, 10 with `--nodes
            MIN:MAX`, else torch's own 30 minutes. A step's longest pause between two workers must be shorter.
        name: Name of the job; the script's own where it is not given.
        detach: Submit and return without following.
        cluster: Name of the cluster.
        output: Form of what is printed on stdout.
    """
    if not script.is_file():
        raise UsageError(f"{script} is not a file", hint="give the path of a Python script")
    counts = {
        "nproc_per_node": nproc_per_node,
        "checkpoint_every": checkpoint_every,
        "checkpoint_keep": checkpoint_keep,
    }
    _check_counts({"num_nodes": num_nodes, **counts})
    _check_checkpoint(checkpoint, checkpoint_every, checkpoint_keep)
    if peer_timeout_s is not None and not peer_timeout_s >= 1.0:
        raise UsageError(f"--peer-timeout-s is {peer_timeout_s:g}", hint="give 1 second or more")
    request = {
        "name": name or script.stem,
        "script": script.name,
        "args": list(args),
        "package": base64.b64encode(_package(script)).decode("ascii"),
        **_node_counts(num_nodes, nodes),
        **counts,
        "balance": balance,
        "peer_timeout_s": peer_timeout_s,
    }
    standing = cluster_named(cluster)
    store = standing.outputs().get(_STORE_EXPORT) if checkpoint else None
    request["checkpoint"] = checkpoint_place(checkpoint, store)
    with standing.gateway() as gateway:
        if num_nodes is None and nodes is None:
            _tell_lost(gateway, standing.outputs().get("node_ids") or ())
        record = gateway.submit(request)
        stderr().print(f"job [bold]{record['id']}[/] taken by the gateway of {record['accepted_by']}")
        if not detach:
            record = _follow(gateway, record)
    if output == "json":
        print_json(record)


def _check_counts(counts: Mapping[str, int | None]) -> None:
    for name, count in counts.items():
        if count is not None and count < 1:
            raise UsageError(f"--{name.replace('_', '-')} is {count}", hint="give 1 or more")


def _check_checkpoint(place: str | None, every: int | None, keep: int | None) -> None:
    """Refuse a call that the gateway would refuse, before anything is packed and sent."""
    if place is None and (every is not None or keep is not None):
        raise UsageError(
            "--checkpoint-every and --checkpoint-keep say nothing without --checkpoint",
            hint="say where too: --checkpoint DIR, or --checkpoint oss://BUCKET/PREFIX",
        )
    if place is not None and "://" in place and not place.startswith("oss://"):
        raise UsageError(f"--checkpoint is {place!r}", hint=_PLACES)


def checkpoint_place(place: str | None, store: str | None) -> str | None:
    """Return where checkpoints go: a name alone is one in the cluster's own store.

    Args:
        place: What was asked for.
        store: The cluster's store, if it has one.

    Raises:
        UsageError: A name alone is given, and the cluster has no store.
    """
    if place is None or place.startswith(("/", "oss://")):
        return place
    if store is None:
        raise UsageError(
            f"--checkpoint is {place!r}, and the cluster has no store for checkpoints", hint=_PLACES
        )
    return f"{store.rstrip('/')}/{place}"


def _package(script: Path) -> bytes:
    """Pack a script's folder; what Steelyard itself keeps there, local clouds among it, stays at home."""
    own = home()
    return pack_folder(script.resolve().parent, leave_out=(own.root, *own.folders), mark=CLOUD_LOCK)


def _node_counts(num_nodes: int | None, nodes: str | None) -> dict[str, int | None]:
    """Return the fields of the request that say how many nodes."""
    if nodes is None:
        return {"num_nodes": num_nodes}
    low, colon, high = nodes.partition(":")
    if (
        num_nodes is not None
        or not colon
        or not low.isdecimal()
        or not high.isdecimal()
        or not 1 <= int(low) <= int(high)
    ):
        raise UsageError(
            f"--nodes is {nodes!r}" + ("" if num_nodes is None else f", beside --num-nodes {num_nodes}"),
            hint="say --nodes MIN:MAX, such as 2:3, or --num-nodes N",
        )
    return {"min_nodes": int(low), "num_nodes": int(high)}


def _tell_lost(gateway: GatewayClient, node_ids: Sequence[str]) -> None:
    """Say which of the cluster's own nodes a job that asks for all of them will not have."""
    alive = {node["node_id"] for node in gateway.nodes() if node["is_alive"]}
    lost = [node_id for node_id in node_ids if node_id not in alive]
    if lost:
        words = f"without {', '.join(lost)}, not alive"
        stderr().print(f"[yellow]{words}:[/] `steelyard status` tells how they are")


def _tell_if_queued(gateway: GatewayClient, job_id: str) -> None:
    """Say what a job waits for that does not start at once."""
    deadline = time.monotonic() + START_PATIENCE_S
    while gateway.job(job_id)["state"] == "queued":
        if time.monotonic() < deadline:
            time.sleep(_LOOK_S)
            continue
        known = gateway.jobs()
        before = known[: [one["id"] for one in known].index(job_id)]
        names = [one["id"] for one in before if one["state"] in ("queued", "running")]
        come = "comes" if len(names) == 1 else "come"
        reason = f": {', '.join(names)} {come} first on its nodes" if names else " until its nodes are there"
        stderr().print(f"{job_id} is queued{reason}")
        return


def _follow(gateway: GatewayClient, record: Mapping[str, Any]) -> Mapping[str, Any]:
    job_id = record["id"]
    try:
        with suppress(GatewayError):  # who follows is patient with a gateway that is gone for a moment
            _tell_if_queued(gateway, job_id)
        with TrainProgress(record["name"]) as progress:
            for event in gateway.events(job_id, follow=True):
                progress(event)
    except KeyboardInterrupt:
        stderr().print(
            f"\n{job_id} goes on: `steelyard jobs logs {job_id} --follow` or `steelyard jobs cancel {job_id}`"
        )
        raise
    record = gateway.followed_job(job_id)
    if record["state"] != "succeeded":
        lines = list(gateway.logs(job_id, follow=True))[-NUM_LAST_LINES:]
        stderr().print("\n".join(escape(line) for line in lines))
        raise TrainingError(
            f"{job_id} {record['state']}: {record.get('error') or 'exit code ' + str(record.get('exit_code'))}",
            hint=f"`steelyard jobs logs {job_id}` prints the whole log",
        )
    stderr().print(f"{job_id} succeeded; `steelyard jobs logs {job_id}` prints what its script wrote")
    return record
