"""The provider that the engine is handed: it finds the resource type and lets it call the cloud."""

from __future__ import annotations

import difflib
import importlib
from collections.abc import Iterable, Mapping

from steelyard.deploy import urn
from steelyard.deploy.engine.provider import Created, Operation, Rules, Values
from steelyard.deploy.provider import (
    alb,
    alb_access_list,
    alb_certificate,
    alb_check_template,
    alb_rule,
    alb_server_group,
    cms,
    ess,
    ess_attachment,
    ess_configuration,
    ess_process,
    ess_refresh,
    ess_trigger,
    nas,
    nlb,
    nlb_server_group,
)
from steelyard.deploy.provider.access_list import Acl, AclEntryAttachment
from steelyard.deploy.provider.api import ApiPool, is_not_found
from steelyard.deploy.provider.certificate import CaCertificate, ServerCertificate, ServiceCertificate
from steelyard.deploy.provider.connection import Connection
from steelyard.deploy.provider.deployment_set import EcsDeploymentSet
from steelyard.deploy.provider.disk import EcsDisk, EcsDiskAttachment
from steelyard.deploy.provider.ecs import Instance, RamRoleAttachment
from steelyard.deploy.provider.egress import EipAddress, EipAssociation, NatGateway, SnatEntry
from steelyard.deploy.provider.key_pair import EcsKeyPair, EcsKeyPairAttachment
from steelyard.deploy.provider.launch_template import EcsLaunchTemplate
from steelyard.deploy.provider.listener import Listener
from steelyard.deploy.provider.lookup import FUNCTIONS
from steelyard.deploy.provider.network_interface import EcsNetworkInterface, EcsNetworkInterfaceAttachment
from steelyard.deploy.provider.oss import (
    Bucket,
    BucketAcl,
    BucketPublicAccessBlock,
    BucketServerSideEncryption,
    BucketVersioning,
)
from steelyard.deploy.provider.ram import Policy, Role, RolePolicyAttachment
from steelyard.deploy.provider.resource_type import ResourceType
from steelyard.deploy.provider.rule import Rule
from steelyard.deploy.provider.security_group import SecurityGroup, SecurityGroupRule
from steelyard.deploy.provider.slb import (
    BackendServer,
    LoadBalancer,
    ServerGroup,
    ServerGroupServerAttachment,
)
from steelyard.deploy.provider.vpc import Network, Switch
from steelyard.errors import DeployError, ResourceError

RESOURCE_TYPES: Mapping[str, ResourceType] = {
    kind.token: kind()
    for kind in (
        Network,
        Switch,
        NatGateway,
        EipAddress,
        EipAssociation,
        SnatEntry,
        SecurityGroup,
        SecurityGroupRule,
        LoadBalancer,
        ServerGroup,
        ServerGroupServerAttachment,
        BackendServer,
        Listener,
        Rule,
        Acl,
        AclEntryAttachment,
        ServerCertificate,
        CaCertificate,
        ServiceCertificate,
        nlb.LoadBalancer,
        nlb.LoadBalancerSecurityGroupAttachment,
        nlb.Listener,
        nlb_server_group.ServerGroup,
        nlb_server_group.ServerGroupServerAttachment,
        alb.LoadBalancer,
        alb.LoadBalancerSecurityGroupAttachment,
        alb.Listener,
        alb_server_group.ServerGroup,
        alb_rule.Rule,
        alb_access_list.Acl,
        alb_access_list.AclEntryAttachment,
        alb_access_list.ListenerAclAttachment,
        alb_certificate.ListenerAdditionalCertificateAttachment,
        alb_check_template.HealthCheckTemplate,
        ess.ScalingGroup,
        ess.ServerGroupAttachment,
        ess.AlbServerGroupAttachment,
        ess.ScalingGroupVServerGroups,
        ess_attachment.Attachment,
        ess_configuration.ScalingConfiguration,
        ess_trigger.ScalingRule,
        ess_trigger.LifecycleHook,
        ess_trigger.ScheduledTask,
        ess_trigger.Alarm,
        ess_process.Notification,
        ess_process.SuspendProcess,
        ess_refresh.InstanceRefresh,
        cms.Alarm,
        cms.AlarmContact,
        cms.AlarmContactGroup,
        cms.MonitorGroup,
        Instance,
        RamRoleAttachment,
        EcsLaunchTemplate,
        EcsKeyPair,
        EcsKeyPairAttachment,
        EcsDeploymentSet,
        EcsDisk,
        EcsDiskAttachment,
        EcsNetworkInterface,
        EcsNetworkInterfaceAttachment,
        Role,
        Policy,
        RolePolicyAttachment,
        nas.FileSystem,
        nas.MountTarget,
        nas.AccessGroup,
        nas.AccessRule,
        Bucket,
        BucketAcl,
        BucketPublicAccessBlock,
        BucketServerSideEncryption,
        BucketVersioning,
    )
}
"""Every supported resource type by its token."""

_SETTINGS = ("endpoint", "protocol", "access_key_id", "access_key_secret", "poll_s", "timeout_s")

_PROVIDER_RULES = Rules(replace_keys=frozenset({"region"}))


class AlicloudProvider:
    """Turns Pulumi's `alicloud:*` resources into calls of Alibaba Cloud's API at one endpoint.

    It calls the actions that the vendor's own provider calls, through the vendor's own client. An explicit
    `alicloud.Provider` in the program may set the region; the endpoint and the key are always the ones given here,
    so that a program run against a local cloud reaches no other.

    Args:
        endpoint: `host:port` that answers for every product.
        access_key_id: Public part of the access key.
        access_key_secret: Secret part.
        region_id: Region of the default provider.
        protocol: `http` or `https`.
        poll_s: Seconds between two looks while waiting for the cloud; 3 would be right for the real one.
        timeout_s: Seconds after which a wait ends, where the program sets no timeout of its own.
    """

    package = "alicloud"

    def __init__(
        self,
        *,
        endpoint: str,
        access_key_id: str,
        access_key_secret: str,
        region_id: str,
        protocol: str = "http",
        poll_s: float = 0.1,
        timeout_s: float = 300.0,
    ) -> None:
        self._connection = Connection(
            endpoint=endpoint,
            protocol=protocol,
            access_key_id=access_key_id,
            access_key_secret=access_key_secret,
            region_id=region_id,
            poll_s=poll_s,
            timeout_s=timeout_s,
        )
        self._pool = ApiPool(self._connection)

    @property
    def config(self) -> Values:
        """The default provider's configuration, as far as it tells where resources are."""
        return {"region": self._connection.region_id}

    def preload(self) -> None:
        """Import the SDK's modules that this provider serves, on the thread that calls."""
        package = importlib.import_module("pulumi_alicloud")
        for token in RESOURCE_TYPES:
            # A lazy module is loaded when something in it is asked for, and not before.
            _, place, name = token.split(":")
            getattr(getattr(package, place.split("/")[0]), name)

    def configured(self, config: Values) -> AlicloudProvider:
        """Return the provider for the region of an explicit provider."""
        region_id = config.get("region") or self._connection.region_id
        if region_id == self._connection.region_id:
            return self
        same = {name: getattr(self._connection, name) for name in _SETTINGS}
        return AlicloudProvider(**{**same, "region_id": region_id})

    def rules(self, type_token: str) -> Rules:
        """Return how a type changes.

        Raises:
            DeployError: If the type is not supported, naming the nearest that are.
        """
        return _PROVIDER_RULES if urn.is_provider(type_token) else _find(type_token).rules

    def check(self, type_token: str, inputs: Values) -> None:
        """Refuse inputs that the provider would have to leave out.

        Raises:
            DeployError: Naming them, and the nearest that there are.
        """
        if urn.is_provider(type_token):
            return
        kind = _find(type_token)
        known = kind.create_only | kind.changeable
        for name in sorted(inputs.keys() - known):
            raise DeployError(
                f"{type_token} has the input {name!r}, which the embedded provider does not support",
                f"the nearest it has: {_nearest(name, known)}; or run the program with the Pulumi CLI",
            )

    def create(self, type_token: str, name: str, inputs: Values, operation: Operation) -> Created:
        """Make a resource and wait until it is ready."""
        kind, api = _find(type_token), self._pool.api(operation)
        resource_id = kind.create(api, inputs)
        found = kind.read(api, resource_id)
        if found is None:
            raise ResourceError(f"{type_token} {resource_id} was made and is gone again", urn=operation.urn)
        return Created(id=resource_id, outputs=found)

    def read(self, type_token: str, resource_id: str, operation: Operation) -> Values | None:
        """Return a resource's properties, None where the cloud has no such resource."""
        try:
            return _find(type_token).read(self._pool.api(operation), resource_id)
        except ResourceError as err:
            if is_not_found(err):
                return None
            raise

    def update(
        self, type_token: str, resource_id: str, old: Values, new: Values, operation: Operation
    ) -> Values:
        """Change a resource in place; return its properties."""
        kind, api = _find(type_token), self._pool.api(operation)
        kind.update(api, resource_id, old, new)
        found = kind.read(api, resource_id)
        if found is None:
            raise ResourceError(f"{type_token} {resource_id} is gone", urn=operation.urn)
        return found

    def delete(self, type_token: str, resource_id: str, inputs: Values, operation: Operation) -> None:
        """Delete a resource and wait until it is gone; one that is gone already is no error."""
        try:
            _find(type_token).delete(self._pool.api(operation), resource_id, inputs)
        except ResourceError as err:
            if not is_not_found(err):
                raise

    def invoke(self, token: str, args: Values) -> Values:
        """Answer a function of the package.

        Raises:
            DeployError: If the function is not supported, naming the nearest that are.
        """
        function = FUNCTIONS.get(token)
        if function is None:
            raise DeployError(
                f"the embedded provider does not support the function {token}",
                f"the nearest it has: {_nearest(token, FUNCTIONS)}; or run the program with the Pulumi CLI",
            )
        return function(self._pool.api(Operation(urn="")), args)


def _find(type_token: str) -> ResourceType:
    kind = RESOURCE_TYPES.get(type_token)
    if kind is None:
        raise DeployError(
            f"the embedded provider does not support the resource type {type_token}",
            f"the nearest it has: {_nearest(type_token, RESOURCE_TYPES)}; or run the program with the Pulumi CLI",
        )
    return kind


def _nearest(name: str, known: Iterable[str]) -> str:
    """Return the three names that are most like one, by their last part and then by their module."""

    def likeness(other: str) -> float:
        tail, other_tail = (text.rsplit(":", 1)[-1].lower() for text in (name, other))
        same_module = name.split("/")[0] == other.split("/")[0]
        return difflib.SequenceMatcher(None, tail, other_tail).ratio() + 0.25 * same_module

    return ", ".join(sorted(known, key=likeness, reverse=True)[:3])
