from __future__ import annotations

import re

from steelyard.localcloud.page import token_answer
from steelyard.localcloud.proxy.tls_policy import POLICIES, TlsPolicy
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nlb.listener_actions import ListenerActions
from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.zonal import models
from steelyard.localcloud.services.zonal.models import answered_tags
from steelyard.localcloud.services.zonal.security_policy_actions import ZonalPolicyActions
from steelyard.localcloud.wire.error import invalid_parameter

_NAME = re.compile(r"[A-Za-z0-9._-]{1,200}\Z")


class SecurityPolicyActions(ZonalPolicyActions[LoadBalancer, ServerGroup, Listener], ListenerActions):
    """TLS policies of TCPSSL listeners."""

    versions_name = "TlsVersions"

    @action("ListSecurityPolicy")
    def list_security_policy(self, request: Request) -> dict[str, object]:
        """List policies by ids, names, resource group and tags, each with the listeners that use it."""
        return token_answer(request, "SecurityPolicies", self.found_policies(request), self._answered)

    @action("ListSystemSecurityPolicy")
    def list_system_security_policy(self, request: Request) -> dict[str, object]:
        """List the system's policies."""
        found = [{**_speech(policy), "SecurityPolicyId": one} for one, policy in POLICIES.items()]
        return {"SecurityPolicies": found}

    def read_policy_name(self, request: Request, default: str) -> str:
        """Read a policy's name, which may begin with any of its letters."""
        name = request.text("SecurityPolicyName") or default
        if name and not _NAME.match(name):
            raise invalid_parameter("SecurityPolicyName", name, "of 1 to 200 letters, digits and . _ -")
        return name

    def _answered(self, one: models.SecurityPolicy) -> dict[str, object]:
        return {
            **_speech(one.policy),
            "SecurityPolicyId": one.id,
            "SecurityPolicyName": one.name,
            "SecurityPolicyStatus": one.status_at(self.cloud.clock(), "Available"),
            "RegionId": one.region_id,
            "ResourceGroupId": one.resource_group_id,
            "RelatedListeners": self.answered_users(one.id),
            "Tags": answered_tags(one.tags),
        }


def _speech(policy: TlsPolicy) -> dict[str, object]:
    return {"TlsVersion": ",".join(policy.versions), "Ciphers": ",".join(policy.ciphers)}
