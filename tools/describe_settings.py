"""Write the reference of the cluster file from the spec: `python tools/describe_settings.py [--check]`.

Types, defaults and limits come from the spec's models, meanings from their docstrings, and every API field that is
named is looked up in the schema of the vendor's SDK packages. `--check` writes nothing and exits with 1 where the
reference is not what it would write.
"""

from __future__ import annotations

import argparse
import re
import sys
import types
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Union, get_args, get_origin

from pydantic.fields import FieldInfo

from steelyard.localcloud.services.oss.actions import operation_names
from steelyard.localcloud.wire.schema import load_schema
from steelyard.spec import ClusterSpec
from steelyard.spec.part import Part
from steelyard.spec.rule import Rule

REFERENCE = Path(__file__).parents[1] / "docs" / "reference" / "cluster-file.md"

HEAD = """# The cluster file

Every setting of `cluster.yaml`; [examples/cluster.yaml](../../examples/cluster.yaml) shows them at their defaults. A
setting of a list's entries has `[]` in its path. The same settings are keys of a Pulumi stack's config, as
`steelyard:<path>`.

The API fields are those of the calls that the Alibaba Cloud provider makes, as `product:Action.Field`. What limits hold
between settings (ranges that overlap, addresses that run out, zones of another region) is checked with them and told
with its place.

This file is written by `tools/describe_settings.py`; a test holds it to the spec.

"""

VERSIONS = {
    "vpc": "2016-04-28",
    "ecs": "2014-05-26",
    "slb": "2014-05-15",
    "nlb": "2022-04-30",
    "alb": "2020-06-16",
    "cas": "2020-04-07",
    "ess": "2022-02-22",
    "cms": "2019-01-01",
    "ram": "2015-05-01",
}

_HTTP = "slb:CreateLoadBalancerHTTPListener"
_HTTPS = "slb:CreateLoadBalancerHTTPSListener"
_CHECK = "nlb:CreateServerGroup.HealthCheckConfig"
_ALB_CHECK = "alb:CreateServerGroup.HealthCheckConfig"

API_FIELDS: dict[str, tuple[str, ...]] = {
    "name": (
        "vpc:CreateVpc.VpcName",
        "ecs:RunInstances.InstanceName",
        "slb:CreateLoadBalancer.LoadBalancerName",
    ),
    "target": (),
    "region": ("vpc:CreateVpc.RegionId", "ecs:RunInstances.RegionId", "slb:CreateLoadBalancer.RegionId"),
    "zones": (
        "vpc:CreateVSwitch.ZoneId",
        "slb:CreateLoadBalancer.MasterZoneId",
        "slb:CreateLoadBalancer.SlaveZoneId",
        "nlb:CreateLoadBalancer.ZoneMappings.ZoneId",
        "alb:CreateLoadBalancer.ZoneMappings.ZoneId",
    ),
    "network.cidr": ("vpc:CreateVpc.CidrBlock",),
    "network.vswitch_cidrs": ("vpc:CreateVSwitch.CidrBlock",),
    "network.vpc_id": ("ecs:CreateSecurityGroup.VpcId", "nlb:CreateLoadBalancer.VpcId"),
    "network.vswitch_ids": ("ecs:RunInstances.VSwitchId", "slb:CreateLoadBalancer.VSwitchId"),
    "network.egress": (
        "vpc:CreateNatGateway.NatType",
        "vpc:CreateSnatEntry.SourceVSwitchId",
        "ecs:RunInstances.InternetMaxBandwidthOut",
    ),
    "node_groups": (),
    "node_groups[].name": ("ecs:RunInstances.InstanceName", "ecs:RunInstances.HostName"),
    "node_groups[].count": (),
    "node_groups[].instance_type": ("ecs:RunInstances.InstanceType",),
    "node_groups[].image": ("ecs:RunInstances.ImageId",),
    "node_groups[].disk.category": ("ecs:RunInstances.SystemDisk.Category",),
    "node_groups[].disk.size_gib": ("ecs:RunInstances.SystemDisk.Size",),
    "node_groups[].head": (),
    "node_groups[].data_disks": (),
    "node_groups[].data_disks[].category": ("ecs:RunInstances.DataDisk.Category",),
    "node_groups[].data_disks[].size_gib": ("ecs:RunInstances.DataDisk.Size",),
    "node_groups[].spot.enabled": ("ecs:RunInstances.SpotStrategy",),
    "node_groups[].spot.max_price": ("ecs:RunInstances.SpotPriceLimit",),
    "node_groups[].spot.interruption": ("ecs:RunInstances.SpotInterruptionBehavior",),
    "node_groups[].placement": ("ecs:CreateDeploymentSet.Strategy", "ecs:RunInstances.DeploymentSetId"),
    "node_groups[].rdma": ("ecs:RunInstances.NetworkInterface.NetworkInterfaceTrafficMode",),
    "node_groups[].weight": (
        "slb:AddVServerGroupBackendServers.BackendServers",
        "nlb:AddServersToServerGroup.Servers.Weight",
        "alb:AddServersToServerGroup.Servers.Weight",
    ),
    "node_groups[].scaling.min": ("ess:CreateScalingGroup.MinSize", "ess:CreateScalingGroup.DesiredCapacity"),
    "node_groups[].scaling.max": ("ess:CreateScalingGroup.MaxSize",),
    "node_groups[].scaling.cooldown_s": (
        "ess:CreateScalingGroup.DefaultCooldown",
        "ess:CreateScalingRule.Cooldown",
        "ess:CreateScalingRule.EstimatedInstanceWarmup",
    ),
    "node_groups[].scaling.on_demand_base": ("ess:CreateScalingGroup.CapacityOptions.OnDemandBaseCapacity",),
    "node_groups[].scaling.on_demand_percent": (
        "ess:CreateScalingGroup.CapacityOptions.OnDemandPercentageAboveBaseCapacity",
    ),
    "node_groups[].scaling.drain_timeout_s": ("ess:CreateLifecycleHook.HeartbeatTimeout",),
    "node_groups[].scaling.target_cpu_percent": ("ess:CreateScalingRule.TargetValue",),
    "node_groups[].scaling.steps": (),
    "node_groups[].scaling.steps[].cpu_above_percent": (
        "ess:CreateAlarm.Threshold",
        "ess:CreateScalingRule.StepAdjustments.MetricIntervalLowerBound",
    ),
    "node_groups[].scaling.steps[].add": ("ess:CreateScalingRule.StepAdjustments.ScalingAdjustment",),
    "node_groups[].scaling.reported": (),
    "node_groups[].scaling.reported[].metric": ("ess:CreateAlarm.MetricName",),
    "node_groups[].scaling.reported[].above": ("ess:CreateAlarm.Threshold",),
    "node_groups[].scaling.reported[].below": ("ess:CreateAlarm.Threshold",),
    "node_groups[].scaling.reported[].change": ("ess:CreateScalingRule.AdjustmentValue",),
    "node_groups[].scaling.reported[].minutes": ("ess:CreateAlarm.EvaluationCount",),
    "node_groups[].scaling.schedules": (),
    "node_groups[].scaling.schedules[].at": ("ess:CreateScheduledTask.RecurrenceValue",),
    "node_groups[].scaling.schedules[].nodes": ("ess:CreateScheduledTask.DesiredCapacity",),
    "node_groups[].scaling.alarm_mails": ("cms:PutContact.Channels.Mail",),
    "load_balancer.kind": (),
    "load_balancer.address_type": (
        "slb:CreateLoadBalancer.AddressType",
        "nlb:CreateLoadBalancer.AddressType",
        "alb:CreateLoadBalancer.AddressType",
    ),
    "load_balancer.scheduler": (
        f"{_HTTP}.Scheduler",
        "nlb:CreateServerGroup.Scheduler",
        "alb:CreateServerGroup.Scheduler",
    ),
    "load_balancer.weights": (
        "slb:SetVServerGroupAttribute.BackendServers",
        "nlb:UpdateServerGroupServersAttribute.Servers.Weight",
    ),
    "load_balancer.drain_timeout_s": (
        "nlb:CreateServerGroup.ConnectionDrainTimeout",
        "alb:CreateServerGroup.ConnectionDrainConfig.ConnectionDrainTimeout",
    ),
    "load_balancer.slow_start_s": ("alb:CreateServerGroup.SlowStartConfig.SlowStartDuration",),
    "load_balancer.sticky_session_s": (
        f"{_HTTP}.CookieTimeout",
        "slb:CreateLoadBalancerTCPListener.PersistenceTimeout",
        "alb:CreateServerGroup.StickySessionConfig.CookieTimeout",
    ),
    "load_balancer.access_cidrs": (
        "slb:AddAccessControlListEntry.AclEntrys",
        f"{_HTTP}.AclId",
        "alb:AddEntriesToAcl.AclEntries.Entry",
    ),
    "load_balancer.deletion_protection": (
        "slb:SetLoadBalancerDeleteProtection.DeleteProtection",
        "nlb:UpdateLoadBalancerProtection.DeletionProtectionEnabled",
        "alb:CreateLoadBalancer.DeletionProtectionEnabled",
    ),
    "load_balancer.tls.certificate_id": (
        f"{_HTTPS}.ServerCertificateId",
        "nlb:CreateListener.CertificateIds",
        "alb:CreateListener.Certificates.CertificateId",
    ),
    "load_balancer.tls.certificate_file": (
        "slb:UploadServerCertificate.ServerCertificate",
        "cas:UploadUserCertificate.Cert",
    ),
    "load_balancer.tls.key_file": (
        "slb:UploadServerCertificate.PrivateKey",
        "cas:UploadUserCertificate.Key",
    ),
    "load_balancer.tls.policy": (
        f"{_HTTPS}.TLSCipherPolicy",
        "nlb:CreateListener.SecurityPolicyId",
        "alb:CreateListener.SecurityPolicyId",
    ),
    "load_balancer.tls.ca_file": (),
    "load_balancer.tls.server_name": (),
    "load_balancer.listeners": (),
    "load_balancer.listeners[].port": (
        f"{_HTTP}.ListenerPort",
        "nlb:CreateListener.ListenerPort",
        "alb:CreateListener.ListenerPort",
    ),
    "load_balancer.listeners[].protocol": (
        "nlb:CreateListener.ListenerProtocol",
        "alb:CreateListener.ListenerProtocol",
    ),
    "load_balancer.rules": (),
    "load_balancer.rules[].name": ("alb:CreateRule.RuleName", "alb:CreateServerGroup.ServerGroupName"),
    "load_balancer.rules[].hosts": ("alb:CreateRule.RuleConditions.HostConfig.Values",),
    "load_balancer.rules[].paths": ("alb:CreateRule.RuleConditions.PathConfig.Values",),
    "load_balancer.rules[].port": (
        "alb:AddServersToServerGroup.Servers.Port",
        "ecs:AuthorizeSecurityGroup.Permissions.PortRange",
    ),
    "load_balancer.rules[].protocol": ("alb:CreateServerGroup.Protocol",),
    "load_balancer.health_check.path": (
        f"{_HTTP}.HealthCheckURI",
        f"{_CHECK}.HealthCheckUrl",
        f"{_ALB_CHECK}.HealthCheckPath",
    ),
    "load_balancer.health_check.interval_s": (
        f"{_HTTP}.HealthCheckInterval",
        f"{_CHECK}.HealthCheckInterval",
        f"{_ALB_CHECK}.HealthCheckInterval",
    ),
    "load_balancer.health_check.timeout_s": (
        f"{_HTTP}.HealthCheckTimeout",
        f"{_CHECK}.HealthCheckConnectTimeout",
        f"{_ALB_CHECK}.HealthCheckTimeout",
    ),
    "load_balancer.health_check.healthy_threshold": (
        f"{_HTTP}.HealthyThreshold",
        f"{_CHECK}.HealthyThreshold",
        f"{_ALB_CHECK}.HealthyThreshold",
    ),
    "load_balancer.health_check.unhealthy_threshold": (
        f"{_HTTP}.UnhealthyThreshold",
        f"{_CHECK}.UnhealthyThreshold",
        f"{_ALB_CHECK}.UnhealthyThreshold",
    ),
    "gateway_port": (
        "slb:AddVServerGroupBackendServers.BackendServers",
        "nlb:AddServersToServerGroup.Servers.Port",
        "alb:AddServersToServerGroup.Servers.Port",
        "ecs:AuthorizeSecurityGroup.Permissions.PortRange",
    ),
    "access.admin_cidrs": ("ecs:AuthorizeSecurityGroup.Permissions.SourceCidrIp",),
    "access.egress_cidrs": ("ecs:AuthorizeSecurityGroupEgress.Permissions.DestCidrIp",),
    "access.open_to_world": (),
    "access.key_pair": ("ecs:RunInstances.KeyPairName",),
    "access.public_key": ("ecs:ImportKeyPair.PublicKeyBody",),
    "node_role.enabled": ("ram:CreateRole.RoleName", "ecs:AttachInstanceRamRole.RamRoleName"),
    "node_package.version": ("ecs:RunInstances.UserData",),
    "node_package.index_url": ("ecs:RunInstances.UserData",),
    "checkpoints.kind": (),
    "checkpoints.bucket": ("oss:PutBucket",),
    "checkpoints.prefix": (),
    "checkpoints.keep_deleted_days": ("oss:PutBucketLifecycle",),
    "checkpoints.force_destroy": ("oss:DeleteMultipleObjects",),
    "checkpoints.nas_storage": (),
    "monitoring.report_every_s": ("cms:PutCustomMetric.MetricList.Values",),
    "budget.max_hourly_cost": (),
}
"""The API fields that each setting becomes; none for what decides which calls are made, or how many."""

COMPUTED_DEFAULTS = {
    "zones": "the region's first two",
    "node_groups[].scaling.on_demand_percent": "0 for spot instances, else 100",
    "node_groups[].scaling.steps": "none",
    "node_groups[].scaling.reported": "none",
    "node_groups[].scaling.schedules": "none",
    "load_balancer.listeners": "one, of the kind's first protocol",
    "load_balancer.listeners[].protocol": "`http`",
}
"""Defaults that depend on other settings, in words."""

WORDS = {str: "text", int: "whole number", float: "number", bool: "true or false"}
UNITS = {"_s": "s", "_days": "days", "_gib": "GiB", "_ms": "ms", "_mib": "MiB"}


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One row of the table."""

    path: str
    kind: str
    unit: str
    default: str
    limits: str
    meaning: str

    def row(self) -> str:
        fields = ", ".join(f"`{field}`" for field in API_FIELDS[self.path])
        cells = (f"`{self.path}`", self.kind, self.unit, self.default, self.limits, fields, self.meaning)
        return f"| {' | '.join(cell.replace('|', chr(92) + '|') for cell in cells)} |"


def settings(model: type[Part], prefix: str = "") -> Iterator[Setting]:
    """Give every setting of a part, parts within it after it."""
    meanings = attribute_texts(model)
    for name, field in model.model_fields.items():
        path = f"{prefix}{name}"
        inner, is_list, is_part, limits = shape(field)
        if not is_part or is_list:
            yield Setting(
                path=path,
                kind=f"list of {WORDS.get(inner, 'sections')}" if is_list else WORDS[inner],
                unit=next((unit for suffix, unit in UNITS.items() if name.endswith(suffix)), ""),
                default=default_of(path, field, is_part=is_part),
                limits=limits,
                meaning=meanings[name],
            )
        if is_part:
            yield from settings(inner, f"{path}[]." if is_list else f"{path}.")


def shape(field: FieldInfo) -> tuple[Any, bool, bool, str]:
    """Return a field's innermost type, whether it is a list and a part, and its limits in words."""
    found, is_list = field.annotation, False
    limits = [item.limits for item in field.metadata if isinstance(item, Rule)]
    while True:
        limits += [item.limits for item in getattr(found, "__metadata__", ()) if isinstance(item, Rule)]
        origin = get_origin(found)
        if origin in (Union, types.UnionType):
            (found,) = (one for one in get_args(found) if one is not type(None))
        elif origin is tuple:
            found, is_list = get_args(found)[0], True
        elif hasattr(found, "__metadata__"):
            found = get_args(found)[0]
        else:
            break
    return found, is_list, issubclass(found, Part), "; ".join(limits)


def default_of(path: str, field: FieldInfo, *, is_part: bool) -> str:
    """Return a setting's default in words."""
    if path in COMPUTED_DEFAULTS:
        return COMPUTED_DEFAULTS[path]
    if field.is_required():
        return "required"
    value = field.default
    if is_part:
        return "one"
    if value is None or value == ():
        return "none"
    return f"`{str(value).lower()}`" if isinstance(value, bool) else f"`{value}`"


def attribute_texts(model: type[Part]) -> dict[str, str]:
    """Read the `Attributes:` of a docstring."""
    _, _, block = (model.__doc__ or "").partition("Attributes:")
    entries = re.split(r"\n        (?=\w+: )", f"\n{block.strip()}".replace("\n", "\n        ", 1))
    pairs = (entry.partition(": ") for entry in entries if entry.strip())
    return {name.strip(): " ".join(text.split()) for name, _, text in pairs}


def unknown_fields() -> list[str]:
    """Return the API fields that the vendor's SDK packages do not have."""
    schema = load_schema()
    unknown = []
    for named in sorted({field for fields in API_FIELDS.values() for field in fields}):
        product, _, rest = named.partition(":")
        action_name, *steps = rest.split(".")
        if product == "oss":
            if action_name not in operation_names():
                unknown.append(named)
            continue
        action = schema.action(VERSIONS[product], action_name)
        if action is None or not has_field(schema, action.request, steps):
            unknown.append(named)
    return unknown


def has_field(schema: Any, shape_name: str, steps: list[str]) -> bool:
    """Tell whether a request has a field, following lists and structures by their names."""
    fields = schema.fields(shape_name)
    if steps[0] not in fields:
        return False
    if len(steps) == 1:
        return True
    spec = fields[steps[0]].type_spec
    while isinstance(spec, list):
        spec = spec[-1]
    return has_field(schema, spec, steps[1:])


def reference() -> str:
    """Return the text of the reference.

    Raises:
        SystemExit: A setting has no entry in `API_FIELDS`, or an entry has no setting.
    """
    rows = list(settings(ClusterSpec))
    differing = {row.path for row in rows} ^ API_FIELDS.keys()
    if differing:
        raise SystemExit(f"API_FIELDS and the spec differ in {', '.join(sorted(differing))}")
    heads = ("setting", "type", "unit", "default", "limits", "API field", "meaning")
    table = [f"| {' | '.join(heads)} |", f"|{'---|' * len(heads)}", *(row.row() for row in rows)]
    return HEAD + "\n".join(table) + "\n"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where it differs")
    is_check = parser.parse_args().check
    unknown = unknown_fields()
    if unknown:
        sys.stderr.write(f"the SDK packages have no {', '.join(unknown)}\n")
        return 1
    text = reference()
    if not is_check:
        REFERENCE.parent.mkdir(parents=True, exist_ok=True)
        REFERENCE.write_text(text, encoding="utf-8")
        return 0
    if not REFERENCE.exists() or REFERENCE.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{REFERENCE.name} is not that of the spec: run python tools/describe_settings.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
