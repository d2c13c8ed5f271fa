"""What `soak.py` does to a local cloud, over and over: the calls that a training cluster makes, and those that fail.

Each actor takes its turns in a thread of its own, and a turn deletes whatever it made.
"""

from __future__ import annotations

import json
import os
import socket
import time
import uuid
from contextlib import ExitStack

import alibabacloud_oss_v2 as oss
from alibabacloud_cms20190101 import models as cms
from alibabacloud_cms20190101.client import Client as CmsClient
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ess20220222 import models as ess
from alibabacloud_ess20220222.client import Client as EssClient
from alibabacloud_sts20150401 import models as sts
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as VpcClient
from soak_balancers import Balancers
from soak_caller import REGION, storage_client
from soak_place import IMAGE, TALKER, TYPE, Actor, make_network

from steelyard.localcloud.faults.client import FaultClient
from steelyard.localcloud.faults.fault import Order

NUM_UNKNOWN = 1500
OBJECT = os.urandom(256 << 10)
PART = OBJECT[: 128 << 10]
METRICS = ("samples", "queue", "loss")
ALARM_FLIP_S = 60
RULE_TURNS = 100


class Networks(Actor):
    """Networks that come and go, with tags."""

    def turn(self) -> None:
        client = VpcClient(self.caller.config())
        with ExitStack() as stack:
            vpc_id, _, group_id = make_network(self.caller, stack, "10.9.N.0/24", 1)
            tag = {"key": "turn", "value": str(self.number)}
            self.call(
                client.tag_resources,
                vpc.TagResourcesRequest(
                    region_id=REGION,
                    resource_type="VPC",
                    resource_id=[vpc_id],
                    tag=[vpc.TagResourcesRequestTag(**tag)],
                ),
            )
            request = vpc.DescribeVpcsRequest(region_id=REGION, tag=[vpc.DescribeVpcsRequestTag(**tag)])
            assert [one.vpc_id for one in self.call(client.describe_vpcs, request).vpcs.vpc] == [vpc_id]
            permission = ecs.AuthorizeSecurityGroupRequestPermissions(
                ip_protocol="tcp", port_range="22/22", source_cidr_ip="10.0.0.0/8"
            )
            self.call(
                self.place.machines.client.authorize_security_group,
                ecs.AuthorizeSecurityGroupRequest(
                    region_id=REGION, security_group_id=group_id, permissions=[permission]
                ),
            )


class Instances(Actor):
    """Instances that come and go: some run for a while, and some are deleted as they boot."""

    def turn(self) -> None:
        machines = self.place.machines
        early = machines.begin(TALKER, amount=2, client_token=uuid.uuid4().hex)
        machines.delete(early)
        made = machines.run(TALKER)
        try:
            tags = [ecs.TagResourcesRequestTag(key="turn", value=str(self.number))]
            self.call(
                machines.client.tag_resources,
                ecs.TagResourcesRequest(
                    region_id=REGION, resource_type="instance", resource_id=made, tag=tags
                ),
            )
            for one in (made[0], self.place.chatterbox_id):
                asked = ecs.GetInstanceConsoleOutputRequest(region_id=REGION, instance_id=one)
                self.call(machines.client.get_instance_console_output, asked)
        finally:
            machines.delete(made)


class Scaling(Actor):
    """Scaling groups that come, scale out and in, and go."""

    def turn(self) -> None:
        client = EssClient(self.caller.config())
        machines = self.place.machines
        group_id = self.call(
            client.create_scaling_group,
            ess.CreateScalingGroupRequest(
                region_id=REGION,
                min_size=0,
                max_size=4,
                default_cooldown=0,
                desired_capacity=0,
                v_switch_ids=[machines.vswitch_ids[0]],
            ),
        ).scaling_group_id
        try:
            configuration_id = self.call(
                client.create_scaling_configuration,
                ess.CreateScalingConfigurationRequest(
                    scaling_group_id=group_id,
                    image_id=IMAGE,
                    instance_type=TYPE,
                    security_group_id=machines.group_id,
                ),
            ).scaling_configuration_id
            self.call(
                client.enable_scaling_group,
                ess.EnableScalingGroupRequest(
                    scaling_group_id=group_id, active_scaling_configuration_id=configuration_id
                ),
            )
            for capacity in (2, 1, 0):
                self.call(
                    client.modify_scaling_group,
                    ess.ModifyScalingGroupRequest(scaling_group_id=group_id, desired_capacity=capacity),
                )
                self._wait(client, group_id, capacity)
        finally:
            self.call(
                client.delete_scaling_group,
                ess.DeleteScalingGroupRequest(scaling_group_id=group_id, force_delete=True),
            )
        asked = ess.DescribeScalingGroupsRequest(region_id=REGION, scaling_group_ids=[group_id])
        self.caller.wait_for(
            lambda: not self.call(client.describe_scaling_groups, asked).scaling_groups, "the group's end"
        )

    def _wait(self, client: EssClient, group_id: str, capacity: int) -> None:
        request = ess.DescribeScalingInstancesRequest(region_id=REGION, scaling_group_id=group_id)

        def is_there() -> bool:
            members = self.call(client.describe_scaling_instances, request).scaling_instances or []
            return [one.lifecycle_state for one in members] == ["InService"] * capacity

        self.caller.wait_for(is_there, f"{capacity} members of {group_id}")


class Metrics(Actor):
    """Metrics that are put and read, with an alarm that fires in every other minute."""

    def turn(self) -> None:
        client = CmsClient(self.caller.config())
        namespace = f"acs_customMetric_{self.cloud.account_id}"
        if self.number % RULE_TURNS == 0:
            self._put_rule(client, namespace)
        value = 20.0 if int(time.time() / ALARM_FLIP_S) % 2 else 1.0
        items = [
            cms.PutCustomMetricRequestMetricList(
                group_id="0",
                metric_name=metric,
                dimensions='{"cluster":"soak"}',
                type="0",
                values=json.dumps({"value": value}),
                time=str(int(time.time() * 1000)),
            )
            for metric in METRICS
        ]
        self.call(client.put_custom_metric, cms.PutCustomMetricRequest(metric_list=items))
        asked = cms.DescribeMetricListRequest(namespace=namespace, metric_name=METRICS[0], period="15")
        assert json.loads(self.call(client.describe_metric_list, asked).datapoints)

    def _put_rule(self, client: CmsClient, namespace: str) -> None:
        critical = cms.PutResourceMetricRuleRequestEscalationsCritical(
            comparison_operator="GreaterThanThreshold", statistics="Average", threshold="10", times=1
        )
        if self.number:
            last = f"soak-{self.number - RULE_TURNS}"
            self.call(client.delete_metric_rules, cms.DeleteMetricRulesRequest(id=[last]))
        channels = cms.PutContactRequestChannels(mail="nobody@example.com")
        contact = cms.PutContactRequest(contact_name="nobody", describe="nobody", channels=channels)
        self.call(client.put_contact, contact)
        group = cms.PutContactGroupRequest(contact_group_name="nobody", contact_names=["nobody"])
        self.call(client.put_contact_group, group)
        self.call(
            client.put_resource_metric_rule,
            cms.PutResourceMetricRuleRequest(
                rule_id=f"soak-{self.number}",
                rule_name="soak",
                namespace=namespace,
                metric_name=METRICS[0],
                contact_groups="nobody",
                resources='[{"cluster":"soak"}]',
                period="15",
                silence_time=60,
                escalations=cms.PutResourceMetricRuleRequestEscalations(critical=critical),
            ),
        )


class Keys(Actor):
    """Temporary keys, each used once."""

    def turn(self) -> None:
        request = sts.AssumeRoleRequest(role_arn=self.place.role_arn, role_session_name=f"turn-{self.number}")
        key = self.call(StsClient(self.caller.config()).assume_role, request).credentials
        config = self.caller.config(
            access_key_id=key.access_key_id,
            access_key_secret=key.access_key_secret,
            security_token=key.security_token,
        )
        assert self.call(StsClient(config).get_caller_identity).identity_type == "AssumedRoleUser"


class Storage(Actor):
    """Objects: put, read, copied, uploaded in parts, given up half-way, deleted; now and then a bucket."""

    def turn(self) -> None:
        client, bucket = storage_client(self.cloud), self.place.bucket
        names = {"bucket": bucket, "key": f"turn/{self.number}"}
        self.call(client.put_object, oss.PutObjectRequest(body=OBJECT, **names))
        assert self.call(client.get_object, oss.GetObjectRequest(**names)).content == OBJECT
        copied = {"bucket": bucket, "key": f"copy/{self.number}"}
        self.call(client.copy_object, oss.CopyObjectRequest(source_key=names["key"], **copied))
        self._upload(client, {"bucket": bucket, "key": f"parts/{self.number}"})
        for key in (names, copied):
            self.call(client.delete_object, oss.DeleteObjectRequest(**key))
        self._break_off(f"/{bucket}/broken")
        if self.number % 10 == 0:
            self._bucket(client)

    def _upload(self, client: oss.Client, names: dict[str, str]) -> None:
        for is_completed in (True, False):
            begun = self.call(
                client.initiate_multipart_upload, oss.InitiateMultipartUploadRequest(**names)
            ).upload_id
            parts = []
            for number in (1, 2):
                request = oss.UploadPartRequest(upload_id=begun, part_number=number, body=PART, **names)
                etag = self.call(client.upload_part, request).etag
                parts.append(oss.UploadPart(part_number=number, etag=etag))
            if not is_completed:
                self.call(
                    client.abort_multipart_upload,
                    oss.AbortMultipartUploadRequest(upload_id=begun, **names),
                )
                continue
            self.call(
                client.complete_multipart_upload,
                oss.CompleteMultipartUploadRequest(
                    upload_id=begun,
                    complete_multipart_upload=oss.CompleteMultipartUpload(parts=parts),
                    **names,
                ),
            )
            self.call(client.delete_object, oss.DeleteObjectRequest(**names))

    def _break_off(self, path: str) -> None:
        """Send a part of a body, and hang up."""
        host, _, port = self.cloud.endpoint.partition(":")
        with socket.create_connection((host, int(port)), timeout=10) as connection:
            head = (
                f"PUT {path} HTTP/1.1\r\nHost: {self.cloud.endpoint}\r\nContent-Length: {len(OBJECT)}\r\n\r\n"
            )
            connection.sendall(head.encode() + OBJECT[:1000])

    def _bucket(self, client: oss.Client) -> None:
        name = f"soak-{uuid.uuid4().hex[:12]}"
        self.call(client.put_bucket, oss.PutBucketRequest(bucket=name))
        self.call(client.delete_bucket, oss.DeleteBucketRequest(bucket=name))


class Mistakes(Actor):
    """Calls that nobody serves, that are malformed, badly signed, or no HTTP at all."""

    def turn(self) -> None:
        refused, generic = self.caller.refused, self.caller.generic
        unknown = f"DescribeNothing{self.number % NUM_UNKNOWN}"
        refused("InvalidAction.NotFound", generic, unknown, {"RegionId": REGION})
        refused("MissingParameter", generic, "CreateVSwitch", {"RegionId": REGION})
        refused("InvalidVpcId.NotFound", generic, "DeleteVpc", {"VpcId": "vpc-none"})
        refused("SignatureDoesNotMatch", self._sign_wrongly)
        host, _, port = self.cloud.endpoint.partition(":")
        for junk in (b"\x16\x03\x01 no hello\r\n\r\n", b"what is this\r\n\r\n", b""):
            with socket.create_connection((host, int(port)), timeout=10) as connection:
                connection.sendall(junk)

    def _sign_wrongly(self) -> None:
        self.caller.generic("DescribeVpcs", {"RegionId": REGION}, access_key_secret="wrong")


class Faults(Actor):
    """Faults: a call that fails, a server that is slow, an instance that dies, a type that is sold out."""

    def turn(self) -> None:
        faults, machines = FaultClient(self.cloud), self.place.machines
        self.call(faults.make, Order(kind="fail", target="DescribeZones", settings={"times": 1}))
        asked = ecs.DescribeZonesRequest(region_id=REGION)
        self.caller.refused("ServiceUnavailable", machines.client.describe_zones, asked)
        self.call(faults.make, Order(kind="stock", target="ecs.c7.large", for_s=1.0))
        made = machines.run(TALKER, zone=1)
        try:
            self.call(faults.make, Order(kind="slow", target=made[0], for_s=2.0, settings={"share": 0.5}))
            self.call(faults.list)
            self.call(faults.make, Order(kind="kill", target=made[0]))
            machines.wait(made, {"Stopped"})
        finally:
            machines.delete(made)


ACTORS: tuple[type[Actor], ...] = (
    Networks,
    Instances,
    Balancers,
    Scaling,
    Metrics,
    Keys,
    Storage,
    Mistakes,
    Faults,
)
