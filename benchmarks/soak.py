"""Load a local cloud for an hour, and tell whether its memory and disk stay flat.

The cloud is one of its own, in a temporary folder. It is loaded through the vendor's SDKs with what a training cluster
does (`soak_actors.py`), after its histories have been filled to their bounds. Every few seconds its memory, threads,
files, processes and the parts of its data folder are measured. A figure is flat where the median of the last quarter of
the time is about that of the second one (`soak_flatness.py`); the log is bounded, and is held to its bound. The last
line on standard output is one JSON object; the exit code is 1 where something is not flat, or a call failed that was
not meant to.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path

import psutil
from soak_actors import ACTORS
from soak_caller import Caller, Tally
from soak_flatness import MIB, Sample, judge_all
from soak_place import fill_histories, standing_place

from steelyard.localcloud import daemon
from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.hosts.choice import choose

MAX_LOG_BYTES = 10 * MIB
JOIN_S = 120.0
NUM_ERRORS_TOLD = 10


class Probe:
    """Measures a running cloud.

    Args:
        info: The cloud.
    """

    def __init__(self, info: CloudInfo) -> None:
        self._process = psutil.Process(info.pid)
        self._folder = Path(info.data_dir)

    def measure(self) -> Sample:
        """Give bytes and numbers as they are now."""
        children = self._process.children(recursive=True)
        with self._process.oneshot():
            sample = {
                "rss": self._process.memory_info().rss,
                "threads": self._process.num_threads(),
                "fds": self._process.num_fds(),
                "pss_anon": pss_anon_bytes(self._process.pid),
                "processes": 1 + len(children),
                "family_pss_anon": sum(pss_anon_bytes(one.pid) for one in children),
            }
        return {**sample, **self._disk()}

    def _disk(self) -> dict[str, int]:
        parts = {"sqlite": 0, "wal": 0, "log": 0, "rest": 0}
        for folder, _, names in os.walk(self._folder):
            for name in names:
                path = Path(folder) / name
                with contextlib.suppress(OSError):
                    parts[part_of(path.relative_to(self._folder))] += path.lstat().st_size
        return parts


def part_of(path: Path) -> str:
    """Say to which part of the data folder a file belongs."""
    if path.name == "state.sqlite":
        return "sqlite"
    if path.name in ("state.sqlite-wal", "state.sqlite-shm"):
        return "wal"
    return "log" if path.name.startswith("cloud.log") else "rest"


def pss_anon_bytes(pid: int) -> int:
    """Give a process' proportional set size without files; 0 where it has gone.

    Its part in the pages of programs and libraries grows when others on the machine that use them end.
    """
    try:
        text = Path(f"/proc/{pid}/smaps_rollup").read_text()
    except OSError:
        return 0
    return 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss_Anon:"))


def describe(sample: Sample, tally: Tally, elapsed_s: float) -> str:
    """Say in one line where things stand."""
    sizes = " ".join(f"{name} {sample[name] / MIB:.1f}" for name in ("rss", "sqlite", "wal", "log", "rest"))
    numbers = " ".join(f"{name} {sample[name]:.0f}" for name in ("threads", "fds", "processes"))
    return (
        f"{elapsed_s / 60:5.1f} min: {tally.calls} calls, {tally.requests} requests, "
        f"{sum(tally.errors.values())} errors; MiB: {sizes}; {numbers}"
    )


def load(caller: Caller, probe: Probe, wanted: argparse.Namespace) -> list[Sample]:
    """Let all actors take their turns for as long as is wanted, and measure meanwhile."""
    samples: list[Sample] = []
    end = threading.Event()
    second_byte, is_reachable = 64 + os.getpid() % 128, wanted.host == "loopback"
    with standing_place(caller, second_byte, is_reachable=is_reachable) as place:
        fill_histories(caller, place)
        caller.hold_rate()
        threads = [
            threading.Thread(target=actor(caller, place).run, args=(end,), name=actor.__name__)
            for actor in ACTORS
        ]
        began = told_at = time.monotonic()
        for thread in threads:
            thread.start()
        try:
            while time.monotonic() - began < wanted.minutes * 60:
                samples.append(probe.measure())
                if time.monotonic() - told_at >= 60:
                    told_at += 60
                    print(describe(samples[-1], caller.tally, told_at - began), file=sys.stderr, flush=True)
                time.sleep(wanted.every_s)
        finally:
            end.set()
            for thread in threads:
                thread.join(JOIN_S)
        stuck = [thread.name for thread in threads if thread.is_alive()]
        if stuck:
            caller.tally.errors[f"never ended: {stuck}"] += 1
    return samples


def summarize(samples: list[Sample], tally: Tally, minutes: float) -> dict[str, object]:
    """Give the figures of a run."""
    verdicts = judge_all(samples)
    first, last = samples[len(samples) // 4], samples[-1]
    highest_log = max(sample["log"] for sample in samples)
    grown = [name for name, verdict in verdicts.items() if not verdict.is_flat]
    if highest_log > MAX_LOG_BYTES:
        grown.append("log")
    disk = ("sqlite", "wal", "log", "rest")
    return {
        "minutes": round(minutes, 1),
        "calls": tally.calls,
        "calls_per_s": round(tally.calls / minutes / 60, 1),
        "requests": tally.requests,
        "turns": dict(tally.turns),
        "rss_mib_first": round(first["rss"] / MIB, 1),
        "rss_mib_last": round(last["rss"] / MIB, 1),
        "disk_mib_first": round(sum(first[name] for name in disk) / MIB, 1),
        "disk_mib_last": round(sum(last[name] for name in disk) / MIB, 1),
        "log_mib_highest": round(highest_log / MIB, 1),
        "growth": {name: round(verdict.ratio, 3) for name, verdict in verdicts.items()},
        "fds": [first["fds"], last["fds"]],
        "threads": [first["threads"], last["threads"]],
        "processes": [first["processes"], last["processes"]],
        "errors": sum(tally.errors.values()),
        "not_flat": grown,
        "is_flat": not grown,
    }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60.0, help="how long")
    parser.add_argument("--calls-per-s", type=float, default=20.0, help="API calls in a second, at most")
    parser.add_argument("--every-s", type=float, default=5.0, help="seconds between two samples")
    parser.add_argument("--host", choices=("loopback", "namespace"), default="loopback")
    wanted = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.default_int_handler)
    with tempfile.TemporaryDirectory(prefix="steelyard-soak-") as folder:
        data_dir = Path(folder) / "cloud"
        choose(data_dir, name=wanted.host, has_limits=False, is_running=False)
        info = daemon.start(data_dir)
        caller = Caller(info, wanted.calls_per_s)
        began = time.monotonic()
        try:
            samples = load(caller, Probe(info), wanted)
        except KeyboardInterrupt:
            print("interrupted: nothing can be said", file=sys.stderr)
            return 130
        finally:
            minutes = (time.monotonic() - began) / 60
            left = daemon.stop(data_dir).left
    for text, number in caller.tally.errors.most_common(NUM_ERRORS_TOLD):
        print(f"{number} x {text}", file=sys.stderr)
    figures = summarize(samples, caller.tally, minutes)
    print(json.dumps({**figures, "left": len(left)}))
    return int(not figures["is_flat"] or bool(figures["errors"]) or bool(left))


if __name__ == "__main__":
    sys.exit(main())
