"""What a node is started with: the command line of `steelyard-node`."""

from __future__ import annotations

import argparse
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from steelyard import settings
from steelyard.metadata import ALIBABA_METADATA_URL
from steelyard.node.server_group import server_group_name


@dataclass(frozen=True, kw_only=True)
class ReportConfig:
    """Where and how often a node reports its figures.

    Attributes:
        every_s: Seconds from one report to the next.
        monitor_group: Id of CloudMonitor's application group that the metrics belong to.
        node_group: The node group's name.
    """

    every_s: int
    monitor_group: str
    node_group: str


@dataclass(frozen=True, kw_only=True)
class NodeConfig:
    """What a node is started with.

    Attributes:
        cluster: The cluster's name.
        role: `head` or `worker`.
        head_address: The head's private address; None on the head.
        gateway_port: Port of the gateway on the private address.
        token_file: File that holds the cluster's bearer token.
        data_dir: Where the node keeps what has to outlive it.
        metadata_url: Base of the instance metadata service.
        is_elastic: Whether a scaling group made the node and may take it away.
        cloud_endpoint: Where the cloud's API answers; the region's own endpoints where it is empty.
        started_at: When the process was started, by the monotonic clock, in seconds.
        takes_work: Whether jobs may have workers here.
        server_group: Kind of the load balancer and id of its server group, whose weights a head sets; None for none.
        report: Where and how often the node reports its figures; None where it reports none.
    """

    cluster: str
    role: str
    head_address: str | None
    gateway_port: int
    token_file: Path
    data_dir: Path
    metadata_url: str
    is_elastic: bool
    cloud_endpoint: str
    started_at: float
    takes_work: bool = True
    server_group: tuple[str, str] | None = None
    report: ReportConfig | None = None


def parse_arguments(arguments: Sequence[str], environment: Mapping[str, str]) -> NodeConfig:
    """Read the command line.

    Args:
        arguments: Without the program's name.
        environment: The environment variables.
    """
    parser = _parser()
    options = parser.parse_args(arguments)
    if options.server_group and options.role != "head":
        parser.error("--server-group is for a head, which alone sets weights")
    if options.no_work and options.role != "head":
        parser.error("--no-work is for a head: a worker that takes no work is good for nothing")
    if (options.role == "worker") != bool(options.head_address):
        parser.error("--head-address is given for a worker, and only for one")
    if options.report_every > 0 and not (options.monitor_group and options.node_group):
        parser.error("--report-every needs --monitor-group and --node-group, which the metrics are told by")
    home = Path(environment.get(settings.HOME) or Path.home() / ".steelyard")
    return NodeConfig(
        cluster=options.cluster,
        role=options.role,
        head_address=options.head_address,
        gateway_port=options.gateway_port,
        token_file=options.token_file,
        data_dir=(options.data_dir or home / "node" / options.cluster).absolute(),
        metadata_url=environment.get(settings.METADATA_URL) or ALIBABA_METADATA_URL,
        is_elastic=options.elastic,
        cloud_endpoint=environment.get(settings.CLOUD_ENDPOINT, ""),
        started_at=time.monotonic(),
        takes_work=not options.no_work,
        server_group=options.server_group,
        report=_report(options),
    )


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="steelyard-node",
        description="Make an instance a node of a cluster, until it is told to stop.",
    )
    parser.add_argument("--cluster", required=True, help="name of the cluster")
    parser.add_argument(
        "--role", required=True, choices=("head", "worker"), help="the head holds the job queue"
    )
    parser.add_argument("--head-address", help="private address of the head; for a worker")
    parser.add_argument("--gateway-port", type=int, default=8000, help="port of the gateway (default: 8000)")
    parser.add_argument("--token-file", type=Path, required=True, help="file that holds the bearer token")
    parser.add_argument("--data-dir", type=Path, help="where jobs are kept (default: ~/.steelyard/node)")
    parser.add_argument(
        "--no-work", action="store_true", help="hold the job queue and have no workers of jobs; for a head"
    )
    parser.add_argument("--elastic", action="store_true", help="a scaling group may take the node away")
    parser.add_argument(
        "--server-group",
        type=server_group_name,
        metavar="KIND:ID",
        help="server group whose weights follow the measured speed, such as classic:rsp-bp1o94dp5i6ea; for a head",
    )
    parser.add_argument(
        "--report-every",
        type=int,
        default=0,
        metavar="SECONDS",
        help="report figures to CloudMonitor; 0 for none",
    )
    parser.add_argument("--monitor-group", metavar="ID", help="its application group; with --report-every")
    parser.add_argument("--node-group", metavar="NAME", help="the node group's name; with --report-every")
    return parser


def _report(options: argparse.Namespace) -> ReportConfig | None:
    if options.report_every <= 0:
        return None
    return ReportConfig(
        every_s=options.report_every, monitor_group=options.monitor_group, node_group=options.node_group
    )
