"""What a call touches, as RAM names it: `acs:<product>:<region>:<account>:<kind>/<id>`.

The forms are those of the products' pages on RAM authorization (2026): of a CLB's server groups, the load balancer is
what is named. A call that names no resource touches all of its product's: `<kind>/*` where its kind is known, else `*`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping

from steelyard.localcloud.service import Request

RAM_CODES: Mapping[str, str] = {"bssopenapi": "bssapi", "cas": "yundun-cert"}
"""Products whose actions have another beginning in policies than their code."""

# Parameters that name a resource, by product: the kind that RAM knows it by, and the product where it is another one.
_KINDS: Mapping[str, Mapping[str, tuple[str, str]]] = {
    "ecs": {
        "InstanceId": ("ecs", "instance"),
        "InstanceIds": ("ecs", "instance"),
        "SecurityGroupId": ("ecs", "securitygroup"),
        "DiskId": ("ecs", "disk"),
        "DiskIds": ("ecs", "disk"),
        "NetworkInterfaceId": ("ecs", "eni"),
        "KeyPairName": ("ecs", "keypair"),
        "KeyPairNames": ("ecs", "keypair"),
        "DeploymentSetId": ("ecs", "deploymentset"),
        "LaunchTemplateId": ("ecs", "launchtemplate"),
        "VSwitchId": ("vpc", "vswitch"),
    },
    "vpc": {
        "VpcId": ("vpc", "vpc"),
        "VSwitchId": ("vpc", "vswitch"),
        "NatGatewayId": ("vpc", "natgateway"),
        "AllocationId": ("vpc", "eip"),
        "SnatTableId": ("vpc", "snattable"),
    },
    "slb": {"LoadBalancerId": ("slb", "loadbalancer"), "AclId": ("slb", "acl")},
    "nlb": {
        "LoadBalancerId": ("nlb", "loadbalancer"),
        "ServerGroupId": ("nlb", "servergroup"),
        "ListenerId": ("nlb", "listener"),
    },
    "alb": {
        "LoadBalancerId": ("alb", "loadbalancer"),
        "ServerGroupId": ("alb", "servergroup"),
        "ListenerId": ("alb", "listener"),
    },
    "ess": {"ScalingGroupId": ("ess", "scalinggroup")},
    "nas": {"FileSystemId": ("nas", "filesystem"), "AccessGroupName": ("nas", "accessgroup")},
    "ram": {
        "RoleName": ("ram", "role"),
        "UserName": ("ram", "user"),
        "GroupName": ("ram", "group"),
        "PolicyName": ("ram", "policy"),
    },
    "sts": {"RoleArn": ("ram", "role")},
    "tag": {"ResourceARN": ("tag", "resource")},
}
_ACCOUNT_WIDE = ("ram", "sts")


def action_name(product: str, action: str) -> str:
    """Name an action as policies do."""
    return f"{RAM_CODES.get(product, product)}:{action}"


def resource_names(product: str, request: Request, account_id: str) -> list[str]:
    """Name all that a call touches.

    Args:
        product: Code of the product that is called.
        request: The call.
        account_id: Whose resources they are.
    """
    names = []
    for parameter, (owner, kind) in _KINDS.get(product, {}).items():
        for value in _values(request.params.get(parameter)):
            if value.startswith("acs:"):
                names.append(value)
                continue
            region = "" if owner in _ACCOUNT_WIDE else request.region_id
            names.append(f"acs:{owner}:{region or '*'}:{account_id}:{kind}/{value}")
    if names:
        return names
    code = RAM_CODES.get(product, product)
    kinds = [kind for owner, kind in _KINDS.get(product, {}).values() if owner == product]
    rest = f"{kinds[0]}/*" if kinds and "Describe" in request.action else "*"
    return [f"acs:{code}:{request.region_id}:{account_id}:{rest}"]


def _values(value: object) -> Iterator[str]:
    """Give the ids that a parameter holds: one, a list, or a list as JSON text."""
    if isinstance(value, list):
        yield from map(str, value)
    elif isinstance(value, str) and value.startswith("["):
        try:
            listed = json.loads(value)
        except ValueError:
            return
        if isinstance(listed, list):
            yield from map(str, listed)
    elif value not in (None, ""):
        yield str(value)
