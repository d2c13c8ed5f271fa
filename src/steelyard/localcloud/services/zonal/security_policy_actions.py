from __future__ import annotations

from dataclasses import replace
from typing import ClassVar

from steelyard.localcloud.proxy.tls_policy import TlsPolicy
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.zonal import errors
from steelyard.localcloud.services.zonal.listener_actions import ZonalListenerActions
from steelyard.localcloud.services.zonal.models import SecurityPolicy
from steelyard.localcloud.services.zonal.state import B, G, L
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.tls_choice import read_tls_policy

RESOURCE_TYPE = "securitypolicy"


class ZonalPolicyActions(ZonalListenerActions[B, G, L]):
    """TLS policies of the user's own. What changes is in force, for new connections, when the answer comes.

    Attributes:
        versions_name: The product's word for the versions of TLS.
    """

    versions_name: ClassVar[str]

    @action("CreateSecurityPolicy")
    def create_security_policy(self, request: Request) -> dict[str, object]:
        """Create a policy."""
        speech = self._read(request)
        policy = self.policy_type(
            id=self.cloud.new_id("tls"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=self.read_policy_name(request, ""),
            resource_group_id=request.text("ResourceGroupId"),
            versions=speech.versions,
            ciphers=speech.ciphers,
        )
        self.security_policies.put(self.settling(policy))
        return {**self.done(request, policy.id, RESOURCE_TYPE), "SecurityPolicyId": policy.id}

    @action("UpdateSecurityPolicyAttribute")
    def update_security_policy_attribute(self, request: Request) -> dict[str, object]:
        """Change a policy, and with it what the listeners take that use it."""
        policy = self._settled_policy(request)
        speech = self._read(request, policy)
        name = self.read_policy_name(request, policy.name)
        changed = replace(policy, name=name, versions=speech.versions, ciphers=speech.ciphers)
        self.security_policies.put(self.settling(changed))
        job = self.done(request, policy.id, RESOURCE_TYPE)
        self.apply(request, *dict.fromkeys(one.load_balancer_id for one in self.policy_users(policy.id)))
        return {**job, "SecurityPolicyId": policy.id}

    @action("DeleteSecurityPolicy")
    def delete_security_policy(self, request: Request) -> dict[str, object]:
        """Delete a policy that no listener uses any more."""
        policy = self._settled_policy(request)
        if self.policy_users(policy.id):
            raise errors.in_use("SecurityPolicy")
        self.security_policies.delete(policy.id)
        return self.done(request, policy.id, RESOURCE_TYPE)

    def found_policies(self, request: Request) -> list[SecurityPolicy]:
        """Give the region's policies by the ids, names, resource group and tags that a call asks for."""
        ids, names = request.texts("SecurityPolicyIds"), request.texts("SecurityPolicyNames")
        tags, resource_group_id = read_tags(request), request.text("ResourceGroupId")
        return [
            policy
            for policy in self.security_policies.list()
            if policy.region_id == request.region_id
            and (not ids or policy.id in ids)
            and (not names or policy.name in names)
            and resource_group_id in ("", policy.resource_group_id)
            and has_tags(policy.tags, tags)
        ]

    def policy_users(self, policy_id: str) -> list[L]:
        """Give the listeners that use a policy."""
        return [one for one in self.listeners.list() if one.settings.get("SecurityPolicyId") == policy_id]

    def answered_users(self, policy_id: str) -> list[dict[str, object]]:
        """Give the listeners that use a policy as answers hold them."""
        names = ("ListenerId", "ListenerPort", "ListenerProtocol", "LoadBalancerId")
        answers = (one.to_answer(self.cloud.clock()) for one in self.policy_users(policy_id))
        return [{name: answer[name] for name in names} for answer in answers]

    def read_policy_name(self, request: Request, default: str) -> str:
        """Read a policy's name, which follows the rule for names unless a product has another one.

        Raises:
            ApiError: `InvalidParameter`.
        """
        return self.read_name(request, "SecurityPolicyName", default)

    def _settled_policy(self, request: Request) -> SecurityPolicy:
        policy = self.security_policies.get(request.text("SecurityPolicyId"))
        if policy is None:
            raise self.not_found("securityPolicy")
        return self.settled(policy, "SecurityPolicy")

    def _read(self, request: Request, old: SecurityPolicy | None = None) -> TlsPolicy:
        versions = request.texts(self.versions_name) or (old.versions if old else ())
        ciphers = request.texts("Ciphers") or (old.ciphers if old else ())
        return read_tls_policy(versions, ciphers, self.versions_name)
