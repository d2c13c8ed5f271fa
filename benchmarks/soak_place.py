"""What stands in the cloud of `soak.py` all the time, and who takes turns there."""

from __future__ import annotations

import base64
import json
import socket
import threading
import uuid
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from typing import Any

import alibabacloud_oss_v2 as oss
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_nlb20220430 import models as nlb
from alibabacloud_nlb20220430.client import Client as NlbClient
from alibabacloud_ram20150501 import models as ram
from alibabacloud_ram20150501.client import Client as RamClient
from alibabacloud_sts20150401 import models as sts
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as VpcClient
from soak_caller import REGION, Caller, storage_client

from steelyard.localcloud.services.sts.actions import MAX_KEYS

ZONES = (f"{REGION}-h", f"{REGION}-i")
IMAGE = "ubuntu_24_04_x64_20G_alibase_20260615.vhd"
TYPE = "ecs.g7.large"
PORT = 8000
NUM_FILLING = 1000
TALKER = '#!/bin/sh\nwhile :; do echo "$(date) all is well"; sleep 1; done\n'
CHATTERBOX = "#!/bin/sh\nwhile :; do head -c 1000 /dev/zero | tr '\\0' x; echo; sleep 0.5; done\n"
SERVER = f"""#!/bin/sh
address=$(curl -s "${{STEELYARD_METADATA_URL:-http://100.100.100.200}}/latest/meta-data/private-ipv4")
exec python3 -m http.server --bind "$address" {PORT}
"""


class Machines:
    """Runs and deletes instances in one network.

    Args:
        caller: Makes the calls.
        vpc_id: The network.
        vswitch_ids: Its VSwitches, one a zone.
        group_id: Its security group.
    """

    def __init__(self, caller: Caller, vpc_id: str, vswitch_ids: list[str], group_id: str) -> None:
        self.caller, self.vpc_id, self.vswitch_ids, self.group_id = caller, vpc_id, vswitch_ids, group_id
        self.client = EcsClient(caller.config())

    def let_in(self, port: int) -> None:
        permission = ecs.AuthorizeSecurityGroupRequestPermissions(
            ip_protocol="tcp", port_range=f"{port}/{port}", source_cidr_ip="0.0.0.0/0"
        )
        self.caller.call(
            self.client.authorize_security_group,
            ecs.AuthorizeSecurityGroupRequest(
                region_id=REGION, security_group_id=self.group_id, permissions=[permission]
            ),
        )

    def begin(self, script: str, amount: int = 1, zone: int = 0, **settings: Any) -> list[str]:
        request = ecs.RunInstancesRequest(
            region_id=REGION,
            image_id=IMAGE,
            instance_type=TYPE,
            v_switch_id=self.vswitch_ids[zone],
            security_group_id=self.group_id,
            amount=amount,
            user_data=base64.b64encode(script.encode()).decode(),
            **settings,
        )
        return list(self.caller.call(self.client.run_instances, request).instance_id_sets.instance_id_set)

    def run(self, script: str, amount: int = 1, zone: int = 0) -> list[str]:
        made = self.begin(script, amount, zone)
        self.wait(made, {"Running"})
        return made

    def find(self, ids: list[str]) -> list[Any]:
        request = ecs.DescribeInstancesRequest(region_id=REGION, instance_ids=json.dumps(ids))
        return list(self.caller.call(self.client.describe_instances, request).instances.instance)

    def wait(self, ids: list[str], statuses: set[str]) -> None:
        """Wait until all have one of the statuses; until all are gone, where none is given."""

        def is_done() -> bool:
            found = [one.status for one in self.find(ids)]
            return len(found) == (len(ids) if statuses else 0) and set(found) <= statuses

        self.caller.wait_for(is_done, f"{statuses or 'the end'} of {ids}")

    def delete(self, ids: list[str]) -> None:
        for one in ids:
            self.caller.call(
                self.client.delete_instance, ecs.DeleteInstanceRequest(instance_id=one, force=True)
            )
        self.wait(ids, set())

    def address(self, instance_id: str) -> str:
        return str(self.find([instance_id])[0].vpc_attributes.private_ip_address.ip_address[0])


@dataclass(kw_only=True)
class Place:
    """What stands all the time.

    Attributes:
        machines: The network.
        server_ids: Two instances that serve HTTP.
        chatterbox_id: An instance that fills its console.
        role_arn: A role that the account may take.
        bucket: A bucket.
    """

    machines: Machines
    server_ids: list[str]
    chatterbox_id: str
    role_arn: str
    bucket: str


class Actor:
    """One thing that is done again and again.

    Args:
        caller: Makes its calls.
        place: What stands all the time.
    """

    def __init__(self, caller: Caller, place: Place) -> None:
        self.caller, self.place = caller, place
        self.call, self.cloud = caller.call, caller.cloud
        self.number = 0

    def turn(self) -> None:
        """Do it once, and leave nothing."""
        raise NotImplementedError

    def run(self, end: threading.Event) -> None:
        """Take turns until the end."""
        name = type(self).__name__
        while not end.is_set():
            try:
                self.turn()
            except Exception as err:  # noqa: BLE001 - whatever fails is counted, and the load goes on
                code = getattr(err, "code", None) or type(err).__name__
                self.caller.tally.errors[f"{name}: {code}: {err}"[:300]] += 1
                end.wait(1.0)
            self.number += 1
            self.caller.tally.turns[name] += 1


def make_network(caller: Caller, stack: ExitStack, block: str, num_zones: int) -> tuple[str, list[str], str]:
    """Make a VPC, VSwitches and a security group, which the stack deletes; each asked for twice by a token."""
    client, machines = VpcClient(caller.config()), EcsClient(caller.config())
    request = vpc.CreateVpcRequest(region_id=REGION, cidr_block="10.0.0.0/8", client_token=uuid.uuid4().hex)
    vpc_id = str(caller.call(client.create_vpc, request).vpc_id)
    stack.callback(caller.call, client.delete_vpc, vpc.DeleteVpcRequest(region_id=REGION, vpc_id=vpc_id))
    assert caller.call(client.create_vpc, request).vpc_id == vpc_id, "a repeated call made another VPC"
    asked = vpc.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=vpc_id)
    caller.wait_for(
        lambda: caller.call(client.describe_vpc_attribute, asked).status == "Available", f"the VPC {vpc_id}"
    )
    vswitch_ids: list[str] = []
    for zone in range(num_zones):
        made = caller.call(
            client.create_vswitch,
            vpc.CreateVSwitchRequest(
                region_id=REGION,
                vpc_id=vpc_id,
                cidr_block=block.replace("N", str(zone)),
                zone_id=ZONES[zone],
                client_token=uuid.uuid4().hex,
            ),
        ).v_switch_id
        stack.callback(caller.call, client.delete_vswitch, vpc.DeleteVSwitchRequest(v_switch_id=made))
        switch = vpc.DescribeVSwitchAttributesRequest(region_id=REGION, v_switch_id=made)
        caller.wait_for(
            lambda switch=switch: (  # type: ignore[misc]
                caller.call(client.describe_vswitch_attributes, switch).status == "Available"
            ),
            f"the VSwitch {made}",
        )
        vswitch_ids.append(made)
    group_id = caller.call(
        machines.create_security_group, ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=vpc_id)
    ).security_group_id
    stack.callback(
        caller.call,
        machines.delete_security_group,
        ecs.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=group_id),
    )
    return vpc_id, vswitch_ids, group_id


@contextmanager
def standing_place(caller: Caller, second_byte: int, *, is_reachable: bool) -> Iterator[Place]:
    """Make what stands all the time, and delete it afterwards.

    Args:
        caller: Makes the calls.
        second_byte: Second byte of the network's addresses, by which clouds on one machine are told apart.
        is_reachable: Whether instances can be reached from here, so that the servers can be waited for.
    """
    with ExitStack() as stack:
        network = make_network(caller, stack, f"10.{second_byte}.N.0/24", len(ZONES))
        machines = Machines(caller, *network)
        machines.let_in(PORT)

        def stand(script: str, zone: int = 0) -> str:
            made = machines.begin(script, zone=zone)
            stack.callback(machines.delete, made)
            machines.wait(made, {"Running"})
            return made[0]

        server_ids = [stand(SERVER, zone) for zone in range(len(ZONES))]
        chatterbox_id = stand(CHATTERBOX)
        for one in server_ids if is_reachable else ():
            address = machines.address(one)
            caller.wait_for(lambda address=address: _listens(address), f"the server {one}")  # type: ignore[misc]
        bucket = f"soak-{uuid.uuid4().hex[:12]}"
        storage = storage_client(caller.cloud)
        caller.call(storage.put_bucket, oss.PutBucketRequest(bucket=bucket))
        stack.callback(caller.call, storage.delete_bucket, oss.DeleteBucketRequest(bucket=bucket))
        yield Place(
            machines=machines,
            server_ids=server_ids,
            chatterbox_id=chatterbox_id,
            role_arn=_make_role(caller),
            bucket=bucket,
        )


def _make_role(caller: Caller) -> str:
    principal = {"RAM": [f"acs:ram::{caller.cloud.account_id}:root"]}
    statement = {"Action": "sts:AssumeRole", "Effect": "Allow", "Principal": principal}
    document = json.dumps({"Version": "1", "Statement": [statement]})
    request = ram.CreateRoleRequest(role_name="Soak", assume_role_policy_document=document)
    return str(caller.call(RamClient(caller.config()).create_role, request).role.arn)


def _listens(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, PORT)) == 0


def fill_histories(caller: Caller, place: Place) -> None:
    """Bring the histories that are kept by number to their bounds, so that what grows later grows without one.

    Each change of a server group is a job and a token; each unknown action is kept, and so is each temporary key.
    """
    client = NlbClient(caller.config())
    keys = StsClient(caller.config())
    group_id = caller.call(
        client.create_server_group,
        nlb.CreateServerGroupRequest(
            region_id=REGION,
            vpc_id=place.machines.vpc_id,
            server_group_name="filling",
            health_check_config=nlb.CreateServerGroupRequestHealthCheckConfig(health_check_enabled=False),
        ),
    ).server_group_id

    def fill(number: int) -> None:
        request = sts.AssumeRoleRequest(role_arn=place.role_arn, role_session_name=f"fill-{number}")
        caller.call(keys.assume_role, request)
        if number >= NUM_FILLING:
            return
        change = nlb.UpdateServerGroupAttributeRequest(
            region_id=REGION,
            server_group_id=group_id,
            server_group_name=f"filling-{number}",
            client_token=uuid.uuid4().hex,
        )
        caller.call(client.update_server_group_attribute, change)
        caller.refused("InvalidAction.NotFound", caller.generic, f"ListNothing{number}", {})

    pool = ThreadPoolExecutor(max_workers=4)
    try:
        list(pool.map(fill, range(MAX_KEYS)))
    finally:
        pool.shutdown(cancel_futures=True)
    caller.call(
        client.delete_server_group,
        nlb.DeleteServerGroupRequest(region_id=REGION, server_group_id=group_id),
    )
