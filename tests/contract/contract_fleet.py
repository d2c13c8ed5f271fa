"""Networks, instances and load balancers for the contract tests, by the vendor's SDKs."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass, field

from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_slb20140515 import models as slb
from alibabacloud_slb20140515.client import Client as SlbClient
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from contract_sdk import wait_for

REGION = "cn-hangzhou"
IMAGE = "ubuntu_24_04_x64_20G_alibase_20260615.vhd"
TYPE = "ecs.gn7i-c8g1.2xlarge"
SERVER = """#!/bin/bash
address=$(curl -s "$STEELYARD_METADATA_URL/latest/meta-data/private-ipv4")
exec python3 -m http.server --bind "$address" 8000
"""


def encoded(script: str) -> str:
    return base64.b64encode(script.encode()).decode()


@dataclass(kw_only=True)
class Fleet:
    """A VPC with a VSwitch and a security group, and what a test makes in it."""

    ecs_client: EcsClient
    slb_client: SlbClient
    vpc_id: str
    vswitch_id: str
    group_id: str
    instance_ids: list[str] = field(default_factory=list)
    load_balancer_ids: list[str] = field(default_factory=list)

    def run(self, script: str = "", *, status: str = "Running", **settings: object) -> list[str]:
        """Run instances and wait for a status; the last parameters are those of RunInstances."""
        request = ecs.RunInstancesRequest(
            **{
                "region_id": REGION,
                "image_id": IMAGE,
                "instance_type": TYPE,
                "security_group_id": self.group_id,
                "v_switch_id": self.vswitch_id,
                "user_data": encoded(script) if script else None,
                **settings,
            }
        )
        made = self.ecs_client.run_instances(request).body.instance_id_sets.instance_id_set
        self.instance_ids += made
        for instance_id in made if status else []:
            self.wait_status(instance_id, status)
        return list(made)

    def instances(self, *instance_ids: str, **filters: object):
        ids = json.dumps(list(instance_ids)) if instance_ids else None
        request = ecs.DescribeInstancesRequest(region_id=REGION, instance_ids=ids, **filters)
        return self.ecs_client.describe_instances(request).body.instances.instance

    def instance(self, instance_id: str):
        return self.instances(instance_id)[0]

    def disks(self, instance_id: str):
        request = ecs.DescribeDisksRequest(region_id=REGION, instance_id=instance_id)
        return self.ecs_client.describe_disks(request).body.disks.disk

    def address(self, instance_id: str) -> str:
        return self.instance(instance_id).vpc_attributes.private_ip_address.ip_address[0]

    def status(self, instance_id: str) -> str:
        found = self.instances(instance_id)
        return found[0].status if found else "gone"

    def wait_status(self, instance_id: str, status: str) -> None:
        wait_for(lambda: self.status(instance_id), lambda seen: seen == status)

    def console(self, instance_id: str) -> str:
        request = ecs.GetInstanceConsoleOutputRequest(region_id=REGION, instance_id=instance_id)
        body = self.ecs_client.get_instance_console_output(request).body
        return base64.b64decode(body.console_output).decode()

    def delete(self, instance_id: str, *, force: bool = True) -> None:
        self.ecs_client.delete_instance(ecs.DeleteInstanceRequest(instance_id=instance_id, force=force))

    def balance(self, **settings: object):
        """Create an intranet load balancer."""
        request = slb.CreateLoadBalancerRequest(
            **{
                "region_id": REGION,
                "v_switch_id": self.vswitch_id,
                "address_type": "intranet",
                "instance_charge_type": "PayByCLCU",
                **settings,
            }
        )
        made = self.slb_client.create_load_balancer(request).body
        self.load_balancer_ids.append(made.load_balancer_id)
        return made

    def clear(self) -> None:
        """Delete everything, and wait until it is gone."""
        for load_balancer_id in self.load_balancer_ids:
            found = self.slb_client.describe_load_balancers(
                slb.DescribeLoadBalancersRequest(region_id=REGION, load_balancer_id=load_balancer_id)
            ).body.load_balancers.load_balancer
            if found:
                self.slb_client.delete_load_balancer(
                    slb.DeleteLoadBalancerRequest(load_balancer_id=load_balancer_id)
                )
        for instance in self.instances(*self.instance_ids) if self.instance_ids else []:
            if instance.instance_charge_type == "PrePaid":
                self.ecs_client.modify_instance_charge_type(
                    ecs.ModifyInstanceChargeTypeRequest(
                        region_id=REGION,
                        instance_ids=json.dumps([instance.instance_id]),
                        instance_charge_type="PostPaid",
                    )
                )
            if instance.deletion_protection:
                self.ecs_client.modify_instance_attribute(
                    ecs.ModifyInstanceAttributeRequest(
                        instance_id=instance.instance_id, deletion_protection=False
                    )
                )
            try:
                self.delete(instance.instance_id)
            except AlibabaCloudException as err:
                # The test had it released, and it was about to go.
                if err.code != "InvalidInstanceId.NotFound":
                    raise
        for instance_id in self.instance_ids:
            self.wait_status(instance_id, "gone")
        groups = self.ecs_client.describe_security_groups(
            ecs.DescribeSecurityGroupsRequest(region_id=REGION, vpc_id=self.vpc_id)
        ).body.security_groups.security_group
        for group in groups:
            self.ecs_client.delete_security_group(
                ecs.DeleteSecurityGroupRequest(region_id=REGION, security_group_id=group.security_group_id)
            )
