"""A network, instances and a load balancer in a local cloud, for tests of the cloud as a whole."""

from __future__ import annotations

import base64
import json
import shutil
from pathlib import Path

import psutil
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_slb20140515 import models as slb
from alibabacloud_slb20140515.client import Client as SlbClient
from alibabacloud_tea_openapi.utils_models import Config
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as VpcClient
from own_range import inner
from traffic import wait_until

from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.hosts.link import find_keepers

REGION = "cn-hangzhou"
PORT = 8000
VPC_CIDR, VSWITCH_CIDR, SECOND_CIDR = inner("0.0/16"), inner("0.0/24"), inner("1.0/24")
ZONES = ("cn-hangzhou-h", "cn-hangzhou-i")
LISTENER = {
    "bandwidth": -1,
    "sticky_session": "off",
    "health_check": "on",
    "health_check_interval": 1,
    "health_check_timeout": 5,  # What is gone refuses at once; what a busy machine has made slow is not gone.
    "healthy_threshold": 2,
    "unhealthy_threshold": 2,
}


class LocalFleet:
    """Instances that answer with their ids behind an HTTP listener on port 80."""

    def __init__(self, cloud: CloudInfo) -> None:
        self.connect(cloud)
        self.vpc_id = self.vpc_client.create_vpc(
            vpc.CreateVpcRequest(region_id=REGION, cidr_block=VPC_CIDR)
        ).body.vpc_id
        wait_until(lambda: self._vpc_status() == "Available")
        self.vswitch_id = self.add_vswitch(VSWITCH_CIDR, ZONES[0])
        self.group_id = self.ecs_client.create_security_group(
            ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=self.vpc_id)
        ).body.security_group_id
        made = self.slb_client.create_load_balancer(
            slb.CreateLoadBalancerRequest(
                region_id=REGION, v_switch_id=self.vswitch_id, address_type="intranet"
            )
        ).body
        self.balancer_id, self.address = made.load_balancer_id, made.address
        self.server_group_id = self.slb_client.create_vserver_group(
            slb.CreateVServerGroupRequest(region_id=REGION, load_balancer_id=self.balancer_id)
        ).body.vserver_group_id

    def add_vswitch(self, cidr: str, zone: str) -> str:
        """Make a VSwitch in the VPC, and wait until it can be worked on."""
        made = self.vpc_client.create_vswitch(
            vpc.CreateVSwitchRequest(region_id=REGION, vpc_id=self.vpc_id, cidr_block=cidr, zone_id=zone)
        ).body.v_switch_id
        request = vpc.DescribeVSwitchAttributesRequest(v_switch_id=made)
        wait_until(
            lambda: self.vpc_client.describe_vswitch_attributes(request).body.status,
            lambda status: status == "Available",
        )
        return str(made)

    def delete_folder(self) -> None:
        """Delete the cloud's folder; what runs may write there, and take things away, meanwhile."""
        folder = Path(self.cloud.data_dir)

        def is_gone() -> bool:
            shutil.rmtree(folder, ignore_errors=True)
            return not folder.exists()

        wait_until(is_gone)

    def connect(self, cloud: CloudInfo) -> None:
        """Make the clients, after a restart for the new endpoint."""

        def config() -> Config:
            return Config(
                access_key_id=cloud.access_key_id,
                access_key_secret=cloud.access_key_secret,
                endpoint=cloud.endpoint,
                protocol="http",
                region_id=cloud.region_id,
            )

        self.cloud = cloud
        self.vpc_client = VpcClient(config())
        self.ecs_client = EcsClient(config())
        self.slb_client = SlbClient(config())

    def run(self, count: int, *, delay_s: float = 0.0, group_id: str = "") -> list[str]:
        """Run instances that serve, with a daemon beside each that has left its session."""
        server = Path(__file__).with_name("named_server.py")
        script = (
            "#!/bin/bash\n"
            'get() { curl -s "${STEELYARD_METADATA_URL:-http://100.100.100.200}/latest/meta-data/$1"; }\n'
            "(setsid sleep 1000 &)\n"
            'touch "$TMPDIR/made-by-the-instance"\n'
            f'exec python3 -S {server} "$(get private-ipv4)" {PORT} "$(get instance-id)" {delay_s}\n'
        )
        made = self.ecs_client.run_instances(
            ecs.RunInstancesRequest(
                region_id=REGION,
                image_id="ubuntu_24_04_x64_20G_alibase_20260615.vhd",
                instance_type="ecs.gn7i-c8g1.2xlarge",
                security_group_id=group_id or self.group_id,
                v_switch_id=self.vswitch_id,
                amount=count,
                user_data=base64.b64encode(script.encode()).decode(),
            )
        ).body.instance_id_sets.instance_id_set
        wait_until(lambda: set(self.statuses(*made).values()), lambda seen: seen == {"Running"})
        return list(made)

    def statuses(self, *instance_ids: str) -> dict[str, str]:
        found = self.ecs_client.describe_instances(
            ecs.DescribeInstancesRequest(region_id=REGION, instance_ids=json.dumps(list(instance_ids)))
        ).body.instances.instance
        return {instance.instance_id: instance.status for instance in found}

    def addresses(self, *instance_ids: str) -> dict[str, str]:
        found = self.ecs_client.describe_instances(
            ecs.DescribeInstancesRequest(region_id=REGION, instance_ids=json.dumps(list(instance_ids)))
        ).body.instances.instance
        return {i.instance_id: i.vpc_attributes.private_ip_address.ip_address[0] for i in found}

    def stop(self, instance_id: str) -> None:
        self.ecs_client.stop_instance(ecs.StopInstanceRequest(instance_id=instance_id, force_stop=True))
        wait_until(lambda: self.statuses(instance_id)[instance_id] == "Stopped")

    def listen(self, port: int = 8080) -> None:
        target = {"load_balancer_id": self.balancer_id, "listener_port": port}
        self.slb_client.create_load_balancer_httplistener(
            slb.CreateLoadBalancerHTTPListenerRequest(
                **target,
                **LISTENER,
                vserver_group_id=self.server_group_id,
            )
        )
        self.slb_client.start_load_balancer_listener(
            slb.StartLoadBalancerListenerRequest(**target, listener_protocol="http")
        )

    def listen_with_tls(self, port: int, certificate: str, key: str) -> None:
        """Put an HTTPS listener before the servers of the HTTP listener."""
        target = {"load_balancer_id": self.balancer_id, "listener_port": port}
        pair = slb.UploadServerCertificateRequest(
            region_id=REGION, server_certificate=certificate, private_key=key
        )
        self.slb_client.create_load_balancer_httpslistener(
            slb.CreateLoadBalancerHTTPSListenerRequest(
                **target,
                **LISTENER,
                server_certificate_id=self.slb_client.upload_server_certificate(
                    pair
                ).body.server_certificate_id,
                vserver_group_id=self.server_group_id,
            )
        )
        self.slb_client.start_load_balancer_listener(
            slb.StartLoadBalancerListenerRequest(**target, listener_protocol="https")
        )

    def listen_for_datagrams(self, port: int, servers: list[dict[str, object]]) -> None:
        """Put a UDP listener before servers of its own, and wait until all of them are found healthy."""
        target = {"load_balancer_id": self.balancer_id, "listener_port": port}
        group = slb.CreateVServerGroupRequest(
            region_id=REGION, load_balancer_id=self.balancer_id, backend_servers=json.dumps(servers)
        )
        self.slb_client.create_load_balancer_udplistener(
            slb.CreateLoadBalancerUDPListenerRequest(
                **target,
                bandwidth=-1,
                health_check_interval=1,
                health_check_connect_timeout=1,
                healthy_threshold=2,
                vserver_group_id=self.slb_client.create_vserver_group(group).body.vserver_group_id,
            )
        )
        self.slb_client.start_load_balancer_listener(
            slb.StartLoadBalancerListenerRequest(**target, listener_protocol="udp")
        )
        health = slb.DescribeHealthStatusRequest(region_id=REGION, **target)
        wait_until(
            lambda: [
                one.server_health_status
                for one in self.slb_client.describe_health_status(health).body.backend_servers.backend_server
            ],
            lambda states: states == ["normal"] * len(servers),
        )

    def add(self, weights: dict[str, int]) -> None:
        self.slb_client.add_vserver_group_backend_servers(
            slb.AddVServerGroupBackendServersRequest(
                region_id=REGION, vserver_group_id=self.server_group_id, backend_servers=rows(weights)
            )
        )

    def weigh(self, weights: dict[str, int]) -> None:
        self.slb_client.set_vserver_group_attribute(
            slb.SetVServerGroupAttributeRequest(
                region_id=REGION, vserver_group_id=self.server_group_id, backend_servers=rows(weights)
            )
        )

    def remove(self, *instance_ids: str) -> None:
        self.slb_client.remove_vserver_group_backend_servers(
            slb.RemoveVServerGroupBackendServersRequest(
                region_id=REGION,
                vserver_group_id=self.server_group_id,
                backend_servers=rows(dict.fromkeys(instance_ids, 0)),
            )
        )

    def delete(self, instance_id: str) -> None:
        self.ecs_client.delete_instance(ecs.DeleteInstanceRequest(instance_id=instance_id, force=True))

    def health(self) -> dict[str, str]:
        found = self.slb_client.describe_health_status(
            slb.DescribeHealthStatusRequest(
                region_id=REGION, load_balancer_id=self.balancer_id, listener_port=8080
            )
        ).body.backend_servers.backend_server
        return {server.server_id: server.server_health_status for server in found}

    def wait_healthy(self, *instance_ids: str) -> None:
        wait_until(
            self.health,
            lambda seen: {i for i, state in seen.items() if state == "normal"} == set(instance_ids),
        )

    def family(self) -> list[psutil.Process]:
        """Give every process below the cloud's, and below the supervisors that it started or took up."""
        keepers = map(psutil.Process, find_keepers(Path(self.cloud.data_dir)))
        kept = (process for keeper in keepers for process in (keeper, *keeper.children(recursive=True)))
        return list(dict.fromkeys([*psutil.Process(self.cloud.pid).children(recursive=True), *kept]))

    def scratch_folders(self) -> list[Path]:
        """Give the private folders of the instances and the load balancer, which lie outside the data."""
        return [link.readlink() for link in Path(self.cloud.data_dir).glob("*/*/scratch")]

    def _vpc_status(self) -> str:
        return self.vpc_client.describe_vpc_attribute(
            vpc.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=self.vpc_id)
        ).body.status


def rows(weights: dict[str, int]) -> str:
    return json.dumps(
        [{"ServerId": server_id, "Port": PORT, "Weight": weight} for server_id, weight in weights.items()]
    )
