"""A job as `steelyard jobs show` prints it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelyard.cli.console import print_record, stdout
from steelyard.cli.train_progress import imitated, time_left, worker_table

_OWN_LINES = frozenset({"last_event", "gain", "nodes", "args"})


def show(record: Mapping[str, Any]) -> None:
    """Print a job's record, where its training is, its workers' parts of the last step, and what balancing gained.

    Args:
        record: The job's record as the gateway gives it.
    """
    shown = {name: value for name, value in record.items() if name not in _OWN_LINES and value is not None}
    shown["args"] = " ".join(record.get("args") or ())
    shown["workers"] = [_worker(node) for node in record.get("nodes") or ()]
    event = record.get("last_event")
    if event:
        shown["training"] = _training(event)
    if words := gain_words(record):
        shown["balancing"] = words
    print_record(record["id"], shown)
    if event and event.get("nodes"):
        stdout().print(worker_table(event))


def _worker(node: Mapping[str, Any]) -> str:
    code = node.get("exit_code")
    return f"{node['rank']}: {node['node_id']} ({node['private_ip']})" + (
        "" if code is None else f" exit {code}"
    )


def _training(event: Mapping[str, Any]) -> str:
    loss = "" if event.get("loss") is None else f", loss {event['loss']:.3f}"
    communicate_s = event.get("communicate_s")
    parts = (
        ""
        if event.get("seconds") is None or communicate_s is None
        else f", {event['seconds'] * 1000:.0f} ms a step of which {communicate_s * 1000:.0f} ms communicating"
    )
    return (
        f"step {event['step']} of {event.get('total_steps') or '?'}{loss},"
        f" {event.get('samples_per_s', 0.0):.0f} samples/s{imitated(event)}{parts}{time_left(event)}"
    )


def gain_words(record: Mapping[str, Any]) -> str:
    """Say what balancing gained so far against the equal split; empty where nothing was measured.

    Args:
        record: The job's record.
    """
    gain = record.get("gain") or {}
    speedup = gain.get("speedup")
    if not gain.get("num_steps") or speedup is None:
        return ""
    event = record.get("last_event") or {}
    words = (
        f"{speedup:.2f} times the samples/s of equal shares, by an estimate from the measured seconds per sample:"
        f" {gain['measured_s']:.1f} s instead of {gain['equal_s']:.1f} s over {gain['num_steps']} steps"
    )
    return words + imitated(event)
