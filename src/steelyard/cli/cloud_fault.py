"""`steelyard cloud fault`: what goes wrong on a cloud, made to happen on the local one."""

from __future__ import annotations

import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Annotated

from cyclopts import Parameter
from rich.markup import escape

from steelyard.cli.cloud import CloudFolder, running_cloud
from steelyard.cli.console import OutputFormat, print_json, print_table, stderr
from steelyard.localcloud.faults.client import FaultClient
from steelyard.localcloud.faults.fault import Fault, Order


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Options:
    """What every verb takes.

    Attributes:
        output: Form of what is printed on stdout.
        data: Folder of the local cloud.
    """

    output: OutputFormat = "text"
    data: CloudFolder = None


@Parameter(name="*")
@dataclass(frozen=True, kw_only=True)
class Lasting(Options):
    """What the verbs of faults take that last.

    Attributes:
        for_s: Seconds after which it ends by itself; 0 to leave it until `steelyard cloud fault clear`.
    """

    for_s: Annotated[float, Parameter(name="--for")] = 0.0


_UNTOLD = frozenset({"boot_number", "struck"})
"""Settings by which the cloud ends a fault; they are in the JSON."""

OPTIONS, LASTING = Options(), Lasting()


def kill_fault(instance_id: str, /, *, options: Options = OPTIONS) -> None:
    """Kill every process of an instance at once, as when its machine dies. The cloud finds it Stopped.

    **Example**: `steelyard cloud fault kill i-3xmp1q0f`

    Args:
        instance_id: The instance.
        options: Which cloud, what is printed.
    """
    _make("kill", instance_id, options)


def hang_fault(instance_id: str, /, *, options: Lasting = LASTING) -> None:
    """Let an instance hang: its processes stand still, its connections stay open, it answers nothing.

    **Example**: `steelyard cloud fault hang i-3xmp1q0f --for 30`

    Args:
        instance_id: The instance.
        options: Which cloud, for how long, what is printed.
    """
    _make("hang", instance_id, options, for_s=options.for_s)


def slow_fault(instance_id: str, /, *, share: float = 0.5, options: Lasting = LASTING) -> None:
    """Slow an instance down: its processes run for a part of each tenth of a second, and stand still for the rest.

    **Example**: `steelyard cloud fault slow i-3xmp1q0f --share 0.25`

    Args:
        instance_id: The instance.
        share: What part of the time they run, 0.01 to 0.99.
        options: Which cloud, for how long, what is printed.
    """
    _make("slow", instance_id, options, for_s=options.for_s, settings={"share": share})


def cut_fault(instance_id: str, /, *, options: Lasting = LASTING) -> None:
    """Pull an instance's cable: nothing that is sent to it or from it arrives. It takes the namespace host.

    **Example**: `steelyard cloud fault cut i-3xmp1q0f --for 60`

    Args:
        instance_id: The instance.
        options: Which cloud, for how long, what is printed.
    """
    _make("cut", instance_id, options, for_s=options.for_s)


def reclaim_fault(
    instance_id: str,
    /,
    *,
    after_s: Annotated[float, Parameter(name="--after")] = 300.0,
    options: Options = OPTIONS,
) -> None:
    """Take a spot instance back: announced now, by its metadata service, and carried out five minutes later.

    **Example**: `steelyard cloud fault reclaim i-3xmp1q0f --after 20`

    Args:
        instance_id: The instance.
        after_s: Seconds until it is carried out.
        options: Which cloud, what is printed.
    """
    _make("reclaim", instance_id, options, settings={"after_s": after_s})


def zone_fault(zone_id: str, /, *, options: Lasting = LASTING) -> None:
    """Take a zone out: its instances die, and none can be started there until it is back, when they boot again.

    **Example**: `steelyard cloud fault zone cn-hangzhou-h --for 120`

    Args:
        zone_id: The zone.
        options: Which cloud, for how long, what is printed.
    """
    _make("zone", zone_id, options, for_s=options.for_s)


def throttle_fault(action: str, /, *, times: int = 0, options: Lasting = LASTING) -> None:
    """Throttle an action: its calls are refused as the cloud refuses too many, and clients wait and call again.

    **Examples**

    `steelyard cloud fault throttle DescribeInstances --times 3`

    `steelyard cloud fault throttle 'Describe*' --for 10`

    `steelyard cloud fault throttle oss:PutObject --times 2`

    Args:
        action: The action, or `<product>:<action>`; `*` stands for any letters.
        times: How many calls are refused before it ends; 0 for all.
        options: Which cloud, for how long, what is printed.
    """
    _make("throttle", action, options, for_s=options.for_s, settings={"times": times})


def fail_fault(
    action: str,
    /,
    *,
    code: str = "ServiceUnavailable",
    status: int = 503,
    message: str | None = None,
    times: int = 0,
    options: Lasting = LASTING,
) -> None:
    """Let the calls of an action fail with a code of your own.

    **Example**: `steelyard cloud fault fail RunInstances --code OperationDenied.NoStock --status 403 --times 1`

    Args:
        action: The action, or `<product>:<action>`; `*` stands for any letters.
        code: The error's code.
        status: HTTP status of the answer, 400 to 599.
        message: What the error says; that a fault was asked for where it is not given.
        times: How many calls are refused before it ends; 0 for all.
        options: Which cloud, for how long, what is printed.
    """
    settings: dict[str, object] = {"code": code, "status": status, "times": times}
    if message is not None:
        settings["message"] = message
    _make("fail", action, options, for_s=options.for_s, settings=settings)


def stock_fault(
    instance_type: str,
    /,
    *,
    zone: str | None = None,
    left: int = 0,
    options: Lasting = LASTING,
) -> None:
    """Let an instance type run out of stock, in a zone or in all of the region's.

    **Example**: `steelyard cloud fault stock ecs.gn7i-c8g1.2xlarge --zone cn-hangzhou-h`

    Args:
        instance_type: The type.
        zone: The zone; all where it is not given.
        left: How many instances a zone has at most, those that stand included.
        options: Which cloud, for how long, what is printed.
    """
    settings = {"left": left} if zone is None else {"left": left, "zone": zone}
    _make("stock", instance_type, options, for_s=options.for_s, settings=settings)


def list_fault(*, options: Options = OPTIONS) -> None:
    """List the faults that are in force.

    **Example**: `steelyard cloud fault list --output json`

    Args:
        options: Which cloud, what is printed.
    """
    faults = _client(options).list()
    if options.output == "json":
        print_json([fault.to_body() for fault in faults])
        return
    rows = [
        (fault.id, fault.kind, escape(fault.target), escape(_how(fault)), _time_left(fault))
        for fault in faults
    ]
    print_table("Faults", ("id", "kind", "target", "how", "ends in"), rows)


def clear_fault(fault_id: str | None = None, /, *, options: Options = OPTIONS) -> None:
    """End a fault, or all of them.

    **Example**: `steelyard cloud fault clear`

    Args:
        fault_id: The fault; all where it is not given.
        options: Which cloud, what is printed.
    """
    cleared = _client(options).clear(fault_id)
    if options.output == "json":
        print_json([fault.to_body() for fault in cleared])
        return
    for fault in cleared:
        stderr().print(f"ended: {fault.kind} {escape(fault.target)}")
    if not cleared:
        stderr().print("there was no fault")


def _make(
    kind: str,
    target: str,
    options: Options,
    *,
    for_s: float = 0.0,
    settings: Mapping[str, object] | None = None,
) -> None:
    fault = _client(options).make(Order(kind=kind, target=target, for_s=for_s, settings=settings or {}))
    if options.output == "json":
        print_json(fault.to_body())
        return
    how = _how(fault)
    ends = f"; `steelyard cloud fault clear {fault.id}` ends it" if fault.lasts else ""
    stderr().print(escape(f"{kind} {target}{f' ({how})' if how else ''}{ends}"))


def _client(options: Options) -> FaultClient:
    return FaultClient(running_cloud(options.data))


def _how(fault: Fault) -> str:
    return ", ".join(f"{name} {value}" for name, value in fault.settings.items() if name not in _UNTOLD)


def _time_left(fault: Fault) -> str:
    return f"{max(0.0, fault.until - time.time()):.0f} s" if fault.until else ""
