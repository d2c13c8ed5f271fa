from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.slb import errors
from steelyard.localcloud.services.slb.cipher_policy import CipherPolicy
from steelyard.localcloud.services.slb.models import Listener
from steelyard.localcloud.services.slb.state import SlbState
from steelyard.localcloud.tls_choice import read_tls_policy
from steelyard.localcloud.wire.error import invalid_parameter

_MAX_NAME = 128


class CipherPolicyActions(SlbState):
    """TLS policies of the user's own. What changes is in force, for new connections, when the answer comes."""

    @action("CreateTLSCipherPolicy")
    def create_tls_cipher_policy(self, request: Request) -> dict[str, object]:
        """Create a policy."""
        speech = read_tls_policy(request.texts("TLSVersions"), request.texts("Ciphers"), "TLSVersions")
        policy = CipherPolicy(
            id=self.cloud.new_id("tls"),
            created_at=self.cloud.clock(),
            region_id=request.region_id,
            name=_name(request),
            versions=speech.versions,
            ciphers=speech.ciphers,
        )
        self.cipher_policies.put(policy)
        return {"TLSCipherPolicyId": policy.id}

    @action("SetTLSCipherPolicyAttribute")
    def set_tls_cipher_policy_attribute(self, request: Request) -> dict[str, object]:
        """Change a policy, and with it what the listeners take that use it."""
        policy = self._policy(request)
        speech = read_tls_policy(request.texts("TLSVersions"), request.texts("Ciphers"), "TLSVersions")
        self.cipher_policies.put(
            replace(policy, name=_name(request), versions=speech.versions, ciphers=speech.ciphers)
        )
        self.apply(request, *dict.fromkeys(one.load_balancer_id for one in self._policy_users(policy.id)))
        return {}

    @action("DeleteTLSCipherPolicy")
    def delete_tls_cipher_policy(self, request: Request) -> dict[str, object]:
        """Delete a policy that no listener uses any more."""
        policy = self._policy(request)
        if self._policy_users(policy.id):
            raise errors.cipher_policy_in_use()
        self.cipher_policies.delete(policy.id)
        return {}

    @action("ListTLSCipherPolicies")
    def list_tls_cipher_policies(self, request: Request) -> dict[str, object]:
        """List the region's policies, or the one that is named, if asked with the listeners that use them."""
        wanted, name = request.text("TLSCipherPolicyId"), request.text("Name")
        found = [
            policy
            for policy in self.cipher_policies.list()
            if policy.region_id == request.region_id
            and wanted in ("", policy.id)
            and name in ("", policy.name)
        ]
        page, token = token_page(request, found, size_name="MaxItems", default=20)
        with_users = request.flag("IncludeListener")
        rows = [self._answered(policy, with_users=with_users) for policy in page]
        return {
            "TLSCipherPolicies": rows,
            "NextToken": token,
            "IsTruncated": bool(token),
            "TotalCount": len(found),
        }

    def _policy(self, request: Request) -> CipherPolicy:
        policy = self.cipher_policies.get(request.text("TLSCipherPolicyId"))
        if policy is None:
            raise errors.cipher_policy_not_found()
        return policy

    def _policy_users(self, policy_id: str) -> list[Listener]:
        return [one for one in self.listeners.list() if one.settings.get("TLSCipherPolicy") == policy_id]

    def _answered(self, policy: CipherPolicy, *, with_users: bool) -> dict[str, object]:
        users = [
            {"LoadBalancerId": one.load_balancer_id, "Port": one.port, "Protocol": one.protocol}
            for one in (self._policy_users(policy.id) if with_users else ())
        ]
        return {
            "InstanceId": policy.id,
            "Name": policy.name,
            "Status": "normal",
            "TLSVersions": list(policy.versions),
            "Ciphers": list(policy.ciphers),
            "CreateTime": int(policy.created_at * 1000),
            "RelateListeners": users,
        }


def _name(request: Request) -> str:
    name = request.text("Name")
    if not 2 <= len(name) <= _MAX_NAME:
        raise invalid_parameter("Name", name, f"of 2 to {_MAX_NAME} characters")
    return name
