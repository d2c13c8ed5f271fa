"""Names that a cluster's resources get, held to the API's limits whatever the cluster and its groups are called.

The limits are those of the arguments' descriptions in the SDK (`pulumi_alicloud` 4.0); of RAM roles (64), OSS buckets
(63), contact groups, alarms, launch templates and NAS permission groups those of the API's reference.
"""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from recording_monitor import Recording, record

from steelyard.components.program import declare
from steelyard.spec import ClusterSpec
from steelyard.spec.catalogue import REGIONS

PLAIN = r"[A-Za-z][A-Za-z0-9._-]+"
LIMITS: dict[tuple[str, str], tuple[int, str]] = {
    ("Acl", "aclName"): (128, PLAIN),
    ("Acl", "name"): (80, PLAIN),
    ("AlarmContact", "alarmContactName"): (40, PLAIN),
    ("AlarmContactGroup", "alarmContactGroupName"): (40, PLAIN),
    ("AccessGroup", "accessGroupName"): (64, r"[A-Za-z][A-Za-z0-9-]+"),
    ("ApplicationLoadBalancer", "loadBalancerName"): (80, r"[A-Za-z0-9][A-Za-z0-9./_-]*[A-Za-z0-9]"),
    ("Bucket", "bucket"): (63, r"[a-z0-9][a-z0-9-]+[a-z0-9]"),
    ("EcsDeploymentSet", "deploymentSetName"): (128, r"[A-Za-z][A-Za-z0-9:_-]+"),
    ("EcsKeyPair", "keyPairName"): (128, r"[A-Za-z][A-Za-z0-9:_-]+"),
    ("EcsLaunchTemplate", "launchTemplateName"): (128, r"[A-Za-z][A-Za-z0-9:._-]+"),
    ("EipAddress", "addressName"): (128, PLAIN),
    ("Instance", "hostName"): (64, r"[a-z0-9]+(-[a-z0-9]+)*"),
    ("Instance", "instanceName"): (128, PLAIN),
    ("LoadBalancer", "loadBalancerName"): (128, PLAIN),
    ("MonitorGroup", "monitorGroupName"): (64, PLAIN),
    ("NatGateway", "natGatewayName"): (128, r"[A-Za-z0-9][A-Za-z0-9._-]*[A-Za-z0-9]"),
    ("Network", "vpcName"): (128, PLAIN),
    ("Policy", "policyName"): (128, r"[A-Za-z0-9-]+"),
    ("Role", "roleName"): (64, r"[A-Za-z0-9.-]+"),
    ("ScalingGroup", "scalingGroupName"): (64, r"[A-Za-z0-9][A-Za-z0-9._-]+"),
    ("ScalingRule", "scalingRuleName"): (64, r"[A-Za-z0-9][A-Za-z0-9._-]+"),
    ("ScheduledTask", "scheduledTaskName"): (40, r"[A-Za-z0-9][A-Za-z0-9._-]+"),
    ("SecurityGroup", "securityGroupName"): (128, PLAIN),
    ("ServerGroup", "serverGroupName"): (128, PLAIN),
    ("ServerGroup", "name"): (80, r"[A-Za-z0-9][A-Za-z0-9./_-]+"),
    ("ServiceCertificate", "certificateName"): (64, r".+"),
    ("SnatEntry", "snatEntryName"): (128, PLAIN),
    ("Switch", "vswitchName"): (128, PLAIN),
    ("LifecycleHook", "name"): (64, r"[A-Za-z0-9][A-Za-z0-9._-]+"),
    ("Alarm", "name"): (64, r"[A-Za-z0-9][A-Za-z0-9._-]+"),
}
REFERENCES = {
    ("RolePolicyAttachment", "policyName"),
    ("RolePolicyAttachment", "roleName"),
    ("Instance", "keyName"),
    ("ScalingRule", "metricName"),
    ("Alarm", "metricName"),
    ("MountTarget", "accessGroupName"),
    ("AccessRule", "accessGroupName"),
    ("EcsLaunchTemplate", "keyPairName"),
    ("EcsLaunchTemplate", "instanceName"),
    ("EcsLaunchTemplate", "ramRoleName"),
    ("RamRoleAttachment", "ramRoleName"),
    ("BucketPublicAccessBlock", "bucket"),
}
SCALING = {
    "max": 4,
    "on_demand_percent": 50,
    "steps": [{"cpu_above_percent": 90, "add": 2}],
    "reported": [{"metric": "queued_jobs", "above": 0, "change": 1}],
    "schedules": [{"at": "07:30", "nodes": 4}],
    "alarm_mails": ["ops@example.com"],
}


def names(longest: int) -> st.SearchStrategy[str]:
    """Names that the cluster file takes, the longest often among them."""
    anything = st.from_regex(rf"[a-z][a-z0-9]{{1,{longest - 1}}}", fullmatch=True)
    hyphens = st.from_regex(r"[a-z](-[a-z0-9]{1,3}){1,8}", fullmatch=True).map(
        lambda name: name[:longest].rstrip("-")
    )
    return anything | hyphens | st.just("n" * longest)


def names_given(recording: Recording) -> dict[tuple[str, str], set[str]]:
    given_names: dict[tuple[str, str], set[str]] = {}
    for one in recording.resources.values():
        for key, value in one.inputs.items():
            is_name = key in ("name", "bucket") or key.endswith("Name")
            if one.is_custom and is_name and isinstance(value, str):
                given_names.setdefault((one.type.rpartition(":")[2], key), set()).add(value)
    return given_names


def too_bad(recording: Recording) -> list[str]:
    found = []
    for field, values in names_given(recording).items():
        if field in REFERENCES:
            continue
        assert field in LIMITS, f"{field} = {values} has no limit here"
        longest, pattern = LIMITS[field]
        found += [
            f"{field}: {v} ({len(v)})" for v in values if len(v) > longest or not re.fullmatch(pattern, v)
        ]
    return found


@pytest.mark.parametrize("kind", ["classic", "network", "application"])
@settings(max_examples=5)
@given(
    name=names(32),
    group=names(20),
    region=st.sampled_from(sorted(r for r, z in REGIONS.items() if len(z) > 1)),
)
def test_every_name_keeps_to_the_limits_of_its_resource(
    kind: str, name: str, group: str, region: str
) -> None:
    settings_of_group: dict[str, Any] = {"name": group, "placement": "low_latency"}
    if kind == "network":
        settings_of_group |= {"scaling": SCALING}
    spec = ClusterSpec(
        name=name,
        target="alicloud",
        region=region,
        network={"egress": "nat"},
        node_groups=[settings_of_group],
        load_balancer={"kind": kind} if kind != "classic" else {"access_cidrs": ["10.0.0.0/8"]},
        access={
            "public_key": "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ+T5Hh6P0m0d0w2n1u8p6m8k9f1b2v3c4x5z6l7k8j9 a"
        },
        checkpoints={"kind": "oss"},
        monitoring={"report_every_s": 30},
    )

    assert too_bad(record(lambda: declare(spec, "f" * 64))) == []
