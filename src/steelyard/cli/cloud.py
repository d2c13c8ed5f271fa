"""`steelyard cloud`: the local Alibaba Cloud on its own."""

from __future__ import annotations

import os
import shlex
import sys
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from steelyard.cli.console import OutputFormat, counted, print_json, print_record, stderr
from steelyard.cli.target import home
from steelyard.errors import LocalCloudError
from steelyard.localcloud import daemon
from steelyard.localcloud.client_environment import client_environment
from steelyard.localcloud.hosts.choice import HostChoice, HostRequest, choose, missing_part
from steelyard.localcloud.terms import agree
from steelyard.localcloud.unserved import read_unserved

CloudFolder = Annotated[
    Path | None,
    Parameter(
        help="Folder of the local cloud's state; `cloud` in `$STEELYARD_HOME` where it is not given.",
        name="--data",
    ),
]


def start_cloud(
    *,
    port: int = 0,
    data: CloudFolder = None,
    host: HostRequest | None = None,
    limits: bool | None = None,
    calls_per_s: float | None = None,
    quotas: bool | None = None,
    output: OutputFormat = "text",
) -> None:
    """Start the local cloud; one that runs already is left as it is.

    `steelyard up` and its like use the one in `$STEELYARD_HOME`; one in a folder of its own is for other clients.

    **Examples**

    `steelyard cloud start --host namespace`

    `steelyard cloud start --data ./cloud --port 9000`

    Args:
        port: TCP port on 127.0.0.1; 0 takes the one it had last, or any free one.
        data: Folder of the local cloud's state.
        host: What instances run on: loopback addresses, or network namespaces in which security groups are enforced
            (Linux, root); `auto` tries the machine and takes namespaces where it has them. Kept with the cloud's
            state; `auto` where nothing was chosen.
        limits: Whether instances are held to the CPUs and memory of their types (control groups, root). Kept, too.
        calls_per_s: How often one key may call one action in a second; more is answered with `Throttling.User`. 0,
            the default, is no limit. Kept, too.
        quotas: Whether an account's quotas hold, such as ten VPCs in a region; they do unless it is said. Kept, too.
        output: Form of what is printed on stdout.
    """
    folder = folder_of(data)
    is_running = daemon.status(folder) is not None
    agree(folder, calls_per_s=calls_per_s, has_quotas=quotas, is_running=is_running)
    choice = choose(folder, name=host, has_limits=limits, is_running=is_running)
    if host in (None, "auto") and choice.name == "loopback" and (lack := missing_part()):
        stderr().print(f"loopback host, security groups not enforced: the namespace host cannot run: {lack}")
    info = daemon.start(folder, port=port)
    if not is_running:
        _tell_survivors(info)
    _print_info(info, output)


def stop_cloud(*, data: CloudFolder = None, output: OutputFormat = "text") -> int:
    """Stop the local cloud and everything it runs, and prove that nothing is left. Its state is kept.

    **Example**: `steelyard cloud stop`

    Args:
        data: Folder of the local cloud's state.
        output: Form of what is printed on stdout.
    """
    report = daemon.stop(folder_of(data))
    if output == "json":
        print_json(asdict(report))
    elif not (report.was_running or report.ended or report.left):
        stderr().print(f"no local cloud ran on {folder_of(data)}")
    else:
        left = ", ".join(map(str, report.left)) or "nothing"
        stderr().print(f"stopped; {counted(len(report.ended), 'process')} ended, left behind: {left}")
    return LocalCloudError.exit_code if report.left else 0


def status_cloud(*, data: CloudFolder = None, output: OutputFormat = "text") -> int:
    """Show where the local cloud answers, and what it was called for and does not serve. Exits with 1 where it is off.

    **Example**: `steelyard cloud status --output json`

    Args:
        data: Folder of the local cloud's state.
        output: Form of what is printed on stdout.
    """
    info = running_cloud(data)
    unserved = {f"{entry.version} {entry.action}": entry.num_calls for entry in read_unserved(info.endpoint)}
    if output == "json":
        print_json({**_describe(info), "unserved_actions": unserved})
        return 0
    _print_info(info, output)
    for name, num_calls in unserved.items():
        stderr().print(f"called {num_calls} times and not served here: {name}")
    return 0


def env_cloud(*, data: CloudFolder = None, output: OutputFormat = "text") -> int:
    """Print what points SDKs, the aliyun CLI, Terraform and Pulumi at the local cloud, as shell exports.

    Terraform's and Pulumi's providers take the endpoint of STS from their own settings alone (`endpoints`, `sts`).

    **Example**: `eval "$(steelyard cloud env)"`

    Args:
        data: Folder of the local cloud's state.
        output: Form of what is printed on stdout.
    """
    environment = client_environment(running_cloud(data), no_proxy=os.environ.get("NO_PROXY", ""))
    if output == "json":
        print_json(environment)
        return 0
    for name, value in environment.items():
        sys.stdout.write(f"export {name}={shlex.quote(value)}\n")
    sys.stdout.flush()
    return 0


def _tell_survivors(info: daemon.CloudInfo) -> None:
    """Say what became of the instances that ran when the last cloud ended."""
    if info.adopted:
        stderr().print(f"taken up, running on: {', '.join(info.adopted)}")
    if info.booted:
        stderr().print(f"ended with the last cloud, booting again: {', '.join(info.booted)}")
    if info.died:
        stderr().print(f"died while there was no cloud, Stopped: {', '.join(info.died)}")
    if info.lost:
        stderr().print(
            f"taken by another local cloud of this machine: {', '.join(info.lost)}; what had them is Stopped or "
            "inactive, and can be started once they are free"
        )


def folder_of(data: Path | None) -> Path:
    """Return the folder of the local cloud that is meant."""
    return home().cloud_dir if data is None else data.absolute()


def running_cloud(data: Path | None) -> daemon.CloudInfo:
    """Return the local cloud that is meant.

    Raises:
        LocalCloudError: It does not run.
    """
    info = daemon.status(folder_of(data))
    if info is None and daemon.is_held(folder_of(data)):
        raise LocalCloudError(
            f"the local cloud on {folder_of(data)} does not answer: it is about to start or to end, or hangs",
            hint="ask again in a moment; `steelyard cloud stop` ends one that hangs",
        )
    if info is None:
        option = "" if data is None else f" --data {shlex.quote(str(data))}"
        raise LocalCloudError(
            f"no local cloud runs on {folder_of(data)}", hint=f"`steelyard cloud start{option}` starts it"
        )
    return info


def _print_info(info: daemon.CloudInfo, output: OutputFormat) -> None:
    if output == "json":
        print_json(_describe(info))
        return
    started_at = datetime.fromtimestamp(info.started_at).astimezone().isoformat(timespec="seconds")
    told = {**_describe(info), "started_at": started_at}
    print_record(
        "Local cloud",
        {name: value for name, value in told.items() if name != "access_key_secret" and value != ()},
    )


def _describe(info: daemon.CloudInfo) -> dict[str, object]:
    choice = HostChoice.load(Path(info.data_dir))
    return {
        **asdict(info),
        "host": choice.name,
        "security_groups": "enforced" if choice.enforces_security_groups else "kept, not enforced",
        "limits": "on" if choice.has_limits else "off",
    }
