"""A cloud for tests of scaling: a clock that a test moves, a host that runs nothing, a load balancer that listens."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from fake_host import FakeHost

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.identity import load_identity
from steelyard.localcloud.service import Request, Service, action
from steelyard.localcloud.services.cms.actions import CmsService
from steelyard.localcloud.services.ecs.actions import EcsService
from steelyard.localcloud.services.ess.actions import EssService
from steelyard.localcloud.services.ram.actions import RamService
from steelyard.localcloud.services.vpc.actions import VpcService
from steelyard.localcloud.store import Store

IMAGE = "ubuntu_24_04_x64_20G_alibase_20260615.vhd"
TYPE = "ecs.gn7i-c8g1.2xlarge"
START = 1_800_000_000.0
ATTACHED = [{"ServerGroupId": "sgp-1", "Type": "NLB", "Port": 8000, "Weight": 30}]


class ListeningBalancer(Service):
    """Stands for NLB: it keeps who is in its one server group, `sgp-1`, and with what weight."""

    code, version = "nlb", "2022-04-30"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.server_groups = {"sgp-1": "a server group"}
        self.servers: dict[str, int] = {}

    @action("AddServersToServerGroup")
    def add(self, request: Request) -> dict[str, object]:
        for server in request.records("Servers"):
            self.servers[str(server["ServerId"])] = int(str(server["Weight"]))
        return {}

    @action("UpdateServerGroupServersAttribute")
    def weigh(self, request: Request) -> dict[str, object]:
        return self.add(request)

    @action("RemoveServersFromServerGroup")
    def remove(self, request: Request) -> dict[str, object]:
        for server in request.records("Servers"):
            self.servers.pop(str(server["ServerId"]))
        return {}


class ScalingCloud:
    """A network of two zones, and calls of the services in it."""

    def __init__(self, data_dir: Path, host: FakeHost) -> None:
        self.now = START
        self.host = host
        self.data_dir = data_dir
        self.store = Store(data_dir / "state.sqlite")
        self.cloud = Cloud(
            data_dir=data_dir,
            store=self.store,
            identity=load_identity(self.store, "cn-hangzhou"),
            endpoint="127.0.0.1:1",
            clock=lambda: self.now,
            services=(VpcService, RamService, EcsService, ListeningBalancer, CmsService, EssService),
        )
        self.vpc_id = ""
        self.vswitch_ids: list[str] = []
        self.security_group_id = ""

    @property
    def ess(self) -> Any:
        return self.cloud.services["ess"]

    @property
    def ecs(self) -> Any:
        return self.cloud.services["ecs"]

    @property
    def balancer(self) -> Any:
        return self.cloud.services["nlb"]

    def call(self, code: str, name: str, params: Mapping[str, object]) -> dict[str, Any]:
        """Call an action as the wire does, in a transaction of its own."""
        service = self.cloud.services[code]
        request = Request(
            action=name,
            params=params,
            region_id="cn-hangzhou",
            dry_run=False,
            request_id="",
            caller=self.cloud.identity.root_key(),
        )
        handler: Callable[[Request], dict[str, Any]] = getattr(service, type(service).handlers()[name][1])
        with self.cloud.transaction():
            return handler(request)

    def make_network(self) -> None:
        self.vpc_id = self.call("vpc", "CreateVpc", {"CidrBlock": "10.0.0.0/8"})["VpcId"]
        self.now += 60
        for zone, block in (("h", "10.0.0.0/24"), ("i", "10.0.1.0/24")):
            params = {"VpcId": self.vpc_id, "CidrBlock": block, "ZoneId": f"cn-hangzhou-{zone}"}
            self.vswitch_ids.append(self.call("vpc", "CreateVSwitch", params)["VSwitchId"])
        self.now += 60
        made = self.call("ecs", "CreateSecurityGroup", {"VpcId": self.vpc_id})
        self.security_group_id = made["SecurityGroupId"]

    def make_group(self, *, configuration: Mapping[str, object] | None = None, **settings: object) -> str:
        """Make an enabled scaling group, in whose settings MinSize is 0 and MaxSize 10 where nothing is said."""
        params = {"MinSize": 0, "MaxSize": 10, "VSwitchIds": self.vswitch_ids, **settings}
        group_id = self.call("ess", "CreateScalingGroup", params)["ScalingGroupId"]
        made = self.call(
            "ess",
            "CreateScalingConfiguration",
            {
                "ScalingGroupId": group_id,
                "ImageId": IMAGE,
                "InstanceType": TYPE,
                "SecurityGroupId": self.security_group_id,
                **(configuration or {}),
            },
        )
        self.call(
            "ess",
            "EnableScalingGroup",
            {
                "ScalingGroupId": group_id,
                "ActiveScalingConfigurationId": made["ScalingConfigurationId"],
            },
        )
        return str(group_id)

    def look(self, count: int = 1) -> None:
        """Let the reconciler look, after every boot and release that is under way has come to its end."""
        for _ in range(count):
            try:
                self.ess.reconciler.look()
            finally:
                self._settle()

    def members(self, group_id: str, state: str = "") -> list[Any]:
        return [one for one in self.ess.members_of(group_id) if state in ("", one.state)]

    def ids(self, group_id: str, state: str = "InService") -> list[str]:
        return [member.id for member in self.members(group_id, state)]

    def activities(self, group_id: str) -> list[Any]:
        return [one for one in self.ess.activities.list() if one.group_id == group_id]

    def group(self, group_id: str) -> Any:
        return self.ess.groups.get(group_id)

    def modify(self, group_id: str, **settings: object) -> None:
        self.call("ess", "ModifyScalingGroup", {"ScalingGroupId": group_id, **settings})

    def close(self) -> None:
        self.ecs.stop()
        self.store.close()

    def _settle(self) -> None:
        deadline = time.monotonic() + 30
        while any(
            one.status in ("Pending", "Starting", "Stopping") or one.is_released
            for one in self.ecs.instances.list()
        ):
            assert time.monotonic() < deadline
            time.sleep(0.002)


def hook(transition: str, **changes: object) -> dict[str, object]:
    return {
        "LifecycleHookName": "drain",
        "LifecycleTransition": transition,
        "HeartbeatTimeout": 100,
        **changes,
    }


def alarm(cloud: ScalingCloud, group_id: str, ari: str, **settings: object) -> str:
    """Create an alarm on a metric of one's own, above 10; the last parameters are those of CreateAlarm."""
    params = {
        "ScalingGroupId": group_id,
        "AlarmActions": [ari],
        "MetricType": "custom",
        "MetricName": "queue",
        "Period": 60,
        "Statistics": "Average",
        "ComparisonOperator": ">",
        "Threshold": 10.0,
        "EvaluationCount": 1,
        **settings,
    }
    return cloud.call("ess", "CreateAlarm", params)["AlarmTaskId"]


def waiting(cloud: ScalingCloud, group_id: str):
    found = [one for one in cloud.ess.lifecycle_actions.list() if one.status == "Pending"]
    return [one for one in found if one.group_id == group_id]


def complete(cloud: ScalingCloud, one, result: str = "CONTINUE") -> None:
    params = {"LifecycleHookId": one.hook_id, "LifecycleActionToken": one.id}
    cloud.call("ess", "CompleteLifecycleAction", {**params, "LifecycleActionResult": result})
