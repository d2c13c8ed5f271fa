from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from typing import Any
from urllib.parse import urlsplit

from steelyard.cluster.balancer_view import front_names, look
from steelyard.cluster.cloud_deployment import CloudAccess, CloudDeployment
from steelyard.cluster.deployment import Deployment
from steelyard.cluster.home import Home
from steelyard.cluster.local_deployment import LocalDeployment
from steelyard.cluster.node_status import STOPPED, NodeStatus, console_tail, observe
from steelyard.cluster.price import HourlyPrice, ask_price
from steelyard.cluster.record import ClusterRecord
from steelyard.cluster.scaled_node import scaled_ids
from steelyard.deploy import OnStep, Resource, Result
from steelyard.deploy.lock import StackLock
from steelyard.deploy.provider.api import is_not_found
from steelyard.deploy.provider.oss import holds_anything
from steelyard.errors import ResourceError, UnhealthyError, UsageError
from steelyard.localcloud import daemon
from steelyard.node.client import GatewayClient, GatewayTrust
from steelyard.spec import ClusterSpec
from steelyard.spec.tls import FILE_SETTINGS

PROJECT = "steelyard"
"""Name of the Pulumi project, as in `Pulumi.yaml`."""

_LOCK_FILE = "cluster.lock"
_BUCKET = "alicloud:oss/bucket:Bucket"
_FILE_SYSTEM = "alicloud:nas/fileSystem:FileSystem"
_INSTANCE = "alicloud:ecs/instance:Instance"
_SCALING_GROUP = "alicloud:ess/scalingGroup:ScalingGroup"


class Cluster:
    """One cluster: what was asked for, what stands, and the way to its gateways.

    Args:
        home: Where its state lies.
        spec: What is wanted.
        access: The way to Alibaba Cloud, for a cluster that stands there.
    """

    def __init__(self, home: Home, spec: ClusterSpec, access: CloudAccess | None = None) -> None:
        self.home = home
        self.spec = spec
        self._record_path = home.record_path(spec.name)
        self._lock_path = self._record_path.with_name(_LOCK_FILE)
        self._deployment = _deployment(home, spec, access or CloudAccess())

    @classmethod
    def open(cls, home: Home, name: str, access: CloudAccess | None = None) -> Cluster:
        """Return a cluster that was brought up.

        Args:
            home: Where its state lies.
            name: Its name.
            access: The way to Alibaba Cloud, for a cluster that stands there.

        Raises:
            UsageError: None of this name stands.
        """
        record = ClusterRecord.load(home.record_path(name))
        if record is None:
            standing = ", ".join(home.clusters()) or "none"
            raise UsageError(
                f"no cluster named {name} stands; standing: {standing}", "`steelyard up` brings one up"
            )
        return cls(home, record.spec, access)

    @property
    def name(self) -> str:
        """The cluster's name."""
        return self.spec.name

    @property
    def target_description(self) -> str:
        """Where the cluster stands, in words."""
        return self._deployment.description

    @property
    def spends_money(self) -> bool:
        """Whether what `up` creates costs anything."""
        return self._deployment.spends_money

    def check_files(self) -> None:
        """Make sure that what `up` reads can be read, before anything starts.

        Raises:
            UsageError: A file that the cluster file names cannot be read.
        """
        for setting in FILE_SETTINGS:
            self.spec.load_balancer.tls.read(setting)

    def prepare(self) -> None:
        """Make sure that the target can be used, asking what has to be asked; what follows asks nothing more.

        Raises:
            CredentialError: There is no access key, or the cloud does not take it.
            DeployError: What the target needs is not there.
        """
        self._deployment.prepare()

    def visit(self) -> AbstractContextManager[None]:
        """Leave the target at the end of the block as it was found: a local cloud is stopped if it did not run."""
        return self._deployment.visit()

    def preview(self, on_step: OnStep, *, refresh: bool = False) -> Result:
        """Tell what `up` would do, and change nothing.

        Args:
            on_step: Called with every step.
            refresh: Whether the cloud is asked first how its resources are; else the state is believed.

        Raises:
            DeployError: The program cannot be applied.
        """
        record = self._record() or ClusterRecord.new(self.spec)
        self._refuse_other_target(record)
        return self._deployment.preview(self._program(record), on_step, refresh=refresh)

    def price(self, foreseen: Result) -> HourlyPrice:
        """Ask what the cluster would cost by the hour.

        Args:
            foreseen: What a preview found.

        Raises:
            ResourceError: The cloud does not answer.
        """
        with self.visit():
            return ask_price(self._deployment.api(), foreseen.planned, cluster=self.name)

    def up(self, on_step: OnStep, *, refresh: bool = False) -> Result:
        """Bring the cluster up, or change it to match its spec.

        Args:
            on_step: Called with every step.
            refresh: Whether the cloud is asked first how its resources are.

        Raises:
            ResourceError: The cloud refused a resource; what stands is remembered.
            DeployError: The program cannot be applied.
        """
        with self._held():
            known = self._record()
            record = (
                ClusterRecord(spec=self.spec, token=known.token) if known else ClusterRecord.new(self.spec)
            )
            self._refuse_other_target(known or record)
            record.save(self._record_path)
            result = self._deployment.up(self._program(record), on_step, refresh=refresh)
            replace(record, is_settled=True).save(self._record_path)
        return result

    def refresh(self, on_step: OnStep) -> Result:
        """Bring what is remembered to what the cloud says; nothing in the cloud changes.

        Raises:
            ResourceError: The cloud refused to tell of a resource.
        """
        with self._held():
            return self._deployment.refresh(on_step)

    def down(self, on_step: OnStep) -> Result:
        """Delete all that stands, and stop the local cloud when nothing else stands on it.

        Raises:
            UsageError: Its load balancer is protected, or its store may hold checkpoints; all stands as it was.
            ResourceError: The cloud refused a deletion; what is left is remembered.
        """
        with self._held():
            record = self._record()
            if record:
                self._refuse_protected(record.spec)
                replace(record, is_settled=False).save(self._record_path)
            result = self._deployment.down(on_step)
            ClusterRecord.remove(self._record_path)
            self._lock_path.unlink()
            with suppress(OSError):  # another command may have begun
                self._lock_path.parent.rmdir()
        self._deployment.leave()
        return result

    def _held(self) -> StackLock:
        """Keep other commands from changing the cluster, and what is remembered of it, in a block."""
        return StackLock(self._lock_path, self.name)

    def _refuse_protected(self, spec: ClusterSpec) -> None:
        """Refuse to take down what the cluster file keeps; the engine itself would first delete all the rest."""
        if spec.load_balancer.deletion_protection:
            raise UsageError(
                f"the load balancer of cluster {self.name} is protected from being deleted",
                "set `load_balancer.deletion_protection` to false, run `steelyard up`, then `steelyard down`",
            )
        kept = [] if spec.checkpoints.force_destroy else self._stores()
        if kept:
            raise UsageError(
                f"`down` would delete what cluster {self.name} keeps in its store of checkpoints: {', '.join(kept)}",
                "copy what is to stay, set `checkpoints.force_destroy` to true, run `steelyard up`, "
                "then `steelyard down`",
            )

    def _stores(self) -> list[str]:
        """Name the buckets that hold anything, deleted checkpoints included, and the file systems.

        What a file system holds the cloud knows an hour late: each one counts.
        """
        buckets = [one for one in self._standing_ids(_BUCKET) if holds_anything(self._deployment.api(), one)]
        return [
            *(f"bucket {one}" for one in buckets),
            *(f"file system {one}" for one in self._standing_ids(_FILE_SYSTEM)),
        ]

    def outputs(self) -> Mapping[str, Any]:
        """Return the program's exports, secrets hidden."""
        return {name: output.value for name, output in sorted(self._deployment.outputs().items())}

    def resource_counts(self) -> Mapping[str, int]:
        """Return how many resources stand, by Pulumi type; components and the stack are not resources."""
        return dict(sorted(Counter(item.type for item in self._deployment.resources() if item.id).items()))

    @property
    def is_settled(self) -> bool:
        """Whether the last `up` or `down` that began has ended well; else running it again goes on with it."""
        record = self._record()
        return record is not None and record.is_settled

    def nodes(self) -> list[NodeStatus]:
        """Return the nodes that stand, by name, with their health as the load balancer sees it; scaled ones last."""
        instances = sorted(self._standing(_INSTANCE), key=lambda item: item.name)
        if not instances:
            return []
        api = self._deployment.api()
        with _told_if_gone():
            views = look(api, self._standing_ids)
            scaled = scaled_ids(api, self._standing_ids(_SCALING_GROUP))
        return observe(api, [*(item.id for item in self._in_program_order(instances)), *scaled], views)

    def moved_gateway(self) -> str | None:
        """Return where the load balancer is now, where the outputs name another place, as after the loss of a zone."""
        host = urlsplit(str(self.outputs().get("gateway_url") or "")).hostname
        with _told_if_gone():
            names = front_names(self._deployment.api(), self._standing_ids) if host else set()
        return min(names) if names and host not in names else None

    def wait_until_healthy(
        self, *, timeout_s: float, on_look: Callable[[list[NodeStatus]], None] = lambda nodes: None
    ) -> None:
        """Wait until the load balancer finds every node healthy.

        Args:
            timeout_s: How long to wait, in seconds.
            on_look: Told of the nodes at each look.

        Raises:
            UnhealthyError: A node was not healthy in time, or the cluster was taken down meanwhile.
        """
        deadline = time.monotonic() + timeout_s
        while True:
            nodes = self.nodes()
            on_look(nodes)
            ill = [node for node in nodes if not node.is_healthy]
            if not nodes and self._record() is None:
                raise UnhealthyError(f"cluster {self.name} was taken down by another command meanwhile")
            if not ill:
                return
            self._refuse_lost(ill, len(nodes))
            if time.monotonic() > deadline:
                names = ", ".join(f"{node.id} ({node.state}, {node.health})" for node in ill)
                raise UnhealthyError(
                    f"{len(ill)} of {len(nodes)} nodes are not healthy after {timeout_s:.0f} s: {names}",
                    hint=f"the console of {ill[0].id} ends with:\n{console_tail(self._deployment.api(), ill[0].id)}",
                )
            time.sleep(self._deployment.look_s)

    def _refuse_lost(self, ill: list[NodeStatus], num_nodes: int) -> None:
        """Tell at once of nodes that no waiting brings back; a scaled one is replaced by its scaling group.

        Raises:
            UnhealthyError: There are such nodes.
        """
        gone = [node.id for node in ill if node.is_deleted]
        if gone:
            raise UnhealthyError(
                f"{', '.join(gone)} of {num_nodes} nodes: the cloud does not know them any more",
                hint="`steelyard up --refresh` makes what others deleted again",
            )
        fixed = self.outputs().get("node_ids") or ()
        stopped = [node.id for node in ill if node.state == STOPPED and node.id in fixed]
        if stopped:
            raise UnhealthyError(
                f"{', '.join(stopped)} of {num_nodes} nodes: Stopped",
                hint="`steelyard up --refresh` starts what stopped again",
            )

    @contextmanager
    def gateway(self, *, keeps_connections: bool = True) -> Iterator[GatewayClient]:
        """Give a client that reaches the gateways through the load balancer.

        Args:
            keeps_connections: Whether one connection serves several requests.

        Raises:
            UsageError: The cluster was not brought up to its end.
        """
        record, url = self._record(), self.outputs().get("gateway_url")
        if record is None or not url:
            raise UsageError(
                f"cluster {self.name} has no gateway yet", "`steelyard up` brings it up to its end"
            )
        if record.spec.target == "local" and daemon.status(self.home.cloud_dir):
            url = self._present_url(str(url))
        tls = record.spec.load_balancer.tls
        trust = GatewayTrust(ca_file=tls.ca_file, server_name=tls.server_name)
        with GatewayClient(
            str(url), record.token, keeps_connections=keeps_connections, trust=trust
        ) as client:
            yield client

    def _present_url(self, url: str) -> str:
        """Return the gateways' URL where the load balancer is now; on the cloud its name leads there by itself."""
        moved_to = self.moved_gateway()
        return url.replace(str(urlsplit(url).hostname), moved_to) if moved_to else url

    def _standing_ids(self, type_token: str) -> list[str]:
        return [item.id for item in self._standing(type_token)]

    def _standing(self, type_token: str) -> list[Resource]:
        return [item for item in self._deployment.resources() if item.type == type_token and item.id]

    def _in_program_order(self, instances: list[Resource]) -> list[Resource]:
        """Put the nodes that the last clean `up` exported first, in its order."""
        exported = {node_id: place for place, node_id in enumerate(self.outputs().get("node_ids") or [])}
        return sorted(instances, key=lambda item: exported.get(item.id, len(exported)))

    def _program(self, record: ClusterRecord) -> Callable[[], None]:
        # Imported here: a verb that only looks need not wait half a second for Pulumi's SDK.
        from steelyard.components.program import declare

        def program() -> None:
            declare(self.spec, record.token)

        return program

    def _record(self) -> ClusterRecord | None:
        return ClusterRecord.load(self._record_path)

    def _refuse_other_target(self, record: ClusterRecord) -> None:
        if record.spec.target != self.spec.target:
            raise UsageError(
                f"cluster {self.name} stands on target {record.spec.target}, and the file says {self.spec.target}",
                "take it down first, or give the file another name",
            )


@contextmanager
def _told_if_gone() -> Iterator[None]:
    """Say what to do where something that is asked about is not there any more."""
    try:
        yield
    except ResourceError as err:
        if is_not_found(err):
            err.hint = "`steelyard refresh` tells what is gone, `steelyard up --refresh` makes it again"
        raise


def _deployment(home: Home, spec: ClusterSpec, access: CloudAccess) -> Deployment:
    if spec.target == "local":
        return LocalDeployment(home, project=PROJECT, name=spec.name, region_id=spec.region)
    folder = home.stack_dir(spec.name)
    return CloudDeployment(access, folder, project=PROJECT, name=spec.name, region_id=spec.region)
