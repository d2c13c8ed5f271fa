from __future__ import annotations

from steelyard.localcloud.page import token_answer
from steelyard.localcloud.proxy.tls_policy import POLICIES, TlsPolicy
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.alb.listener_actions import ListenerActions
from steelyard.localcloud.services.alb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.zonal import models
from steelyard.localcloud.services.zonal.models import answered_tags
from steelyard.localcloud.services.zonal.security_policy_actions import ZonalPolicyActions
from steelyard.localcloud.text import utc_text


class SecurityPolicyActions(ZonalPolicyActions[LoadBalancer, ServerGroup, Listener], ListenerActions):
    """TLS policies of HTTPS listeners."""

    versions_name = "TLSVersions"

    @action("ListSecurityPolicies")
    def list_security_policies(self, request: Request) -> dict[str, object]:
        """List policies by ids, names, resource group and tags."""
        return token_answer(request, "SecurityPolicies", self.found_policies(request), self._answered)

    @action("ListSystemSecurityPolicies")
    def list_system_security_policies(self, request: Request) -> dict[str, object]:
        """List the system's policies."""
        found = [{**_speech(policy), "SecurityPolicyId": one} for one, policy in POLICIES.items()]
        return {"SecurityPolicies": found}

    @action("ListSecurityPolicyRelations")
    def list_security_policy_relations(self, request: Request) -> dict[str, object]:
        """List the listeners that use policies, the system's among them."""
        ids, known = request.texts("SecurityPolicyIds"), self.tls_policies()
        if not set(ids) <= set(known):
            raise self.not_found("securityPolicy")
        relations = [{"SecurityPolicyId": one, "RelatedListeners": self.answered_users(one)} for one in ids]
        # The API's own spelling.
        return {"SecrityPolicyRelations": relations}

    def _answered(self, one: models.SecurityPolicy) -> dict[str, object]:
        return {
            **_speech(one.policy),
            "SecurityPolicyId": one.id,
            "SecurityPolicyName": one.name,
            "SecurityPolicyStatus": one.status_at(self.cloud.clock(), "Available"),
            "ResourceGroupId": one.resource_group_id,
            "CreateTime": utc_text(one.created_at),
            "Tags": answered_tags(one.tags),
        }


def _speech(policy: TlsPolicy) -> dict[str, object]:
    return {"TLSVersions": list(policy.versions), "Ciphers": list(policy.ciphers)}
