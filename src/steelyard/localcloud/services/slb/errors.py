"""Codes, texts and statuses of the SLB API (help pages of its actions, and what the Terraform provider looks for).

The API answers much with `InvalidParameter` and a text that tells more; where only the text is known, the status is 404
for what is not there and 400 else.
"""

from __future__ import annotations

from steelyard.localcloud.wire.error import ApiError


def load_balancer_not_found() -> ApiError:
    """Tell that there is no such load balancer."""
    return ApiError("InvalidLoadBalancerId.NotFound", "The specified LoadBalancerId does not exist.", 404)


def server_group_not_found(parameter: str = "VServerGroupId") -> ApiError:
    """Tell that there is no such server group."""
    return ApiError("InvalidParameter", f"The specified {parameter} does not exist.", 404)


def listener_not_found() -> ApiError:
    """Tell that there is no such listener."""
    return ApiError("InvalidParameter", "The specified resource does not exist.", 404)


def vswitch_not_found() -> ApiError:
    """Tell that there is no such VSwitch."""
    return ApiError("InvalidVSwitchId.NotFound", "The specified VSwitchId does not exist.", 404)


def zone_not_found() -> ApiError:
    """Tell that the region has no such zone."""
    return ApiError("InvalidZoneId.NotFound", "The specified ZoneId does not exist.", 404)


def server_not_found(server_id: str) -> ApiError:
    """Tell that there is no such instance."""
    return ApiError("InvalidServerId.NotFound", f"The specified ServerId does not exist: {server_id}.", 404)


def server_not_running(server_id: str, status: str) -> ApiError:
    """Tell that only a running instance can be added."""
    return ApiError(
        "InvalidParameter", f"The backend server {server_id} is {status}: only running servers can be added."
    )


def server_certificate_not_found() -> ApiError:
    """Tell that there is no such server certificate."""
    return ApiError("ServerCertificateId.NotFound", "The specified ServerCertificateId does not exist.", 404)


def ca_certificate_not_found() -> ApiError:
    """Tell that there is no such certificate of an authority."""
    return ApiError("CACertificateId.NotFound", "The specified CACertificateId does not exist.", 404)


def certificate_in_use() -> ApiError:
    """Tell that a listener still answers with a certificate, or asks its clients for it."""
    return ApiError("CertificateAndPrivateKeyIsRefered", "Certificate and PrivateKey Is Refered.")


def certificate_without_its_key() -> ApiError:
    """Tell that certificate and key are not a pair."""
    return ApiError("CertificateNotMatchPrivateKey", "Certificate and key does not match.")


def malformed_certificate(reason: str) -> ApiError:
    """Tell that a certificate or a key cannot be read."""
    return ApiError("KeyFormatError", f"The specified ServerCertificate is incorrectly formatted: {reason}.")


def cipher_policy_not_found() -> ApiError:
    """Tell that there is no such TLS policy."""
    return ApiError("InvalidParameter", "The specified TLSCipherPolicyId does not exist.", 404)


def cipher_policy_in_use() -> ApiError:
    """Tell that a listener still uses a TLS policy (the help page names no code: this one is made up)."""
    return ApiError("TLSCipherPolicyInUse", "The specified TLS cipher policy is used by listeners.")


def domain_extension_not_found() -> ApiError:
    """Tell that a listener has no such further domain."""
    return ApiError(
        "InvalidParameter.DomainExtensionId", "The specified DomainExtensionId does not exist.", 404
    )


def domain_extension_exists() -> ApiError:
    """Tell that a listener has a certificate for a domain (the help page names no code: this one is made up)."""
    return ApiError("DomainExtensionExist", "The listener has a domain extension of the specified Domain.")


def access_list_not_found() -> ApiError:
    """Tell that there is no such access control list."""
    return ApiError("AclNotExist", "The specified acl does not exist.")


def access_list_in_use() -> ApiError:
    """Tell that a listener still names an access control list (code from memory)."""
    return ApiError("AclUsedByVip", "The specified acl is associated with listeners.")


def access_entry_missing() -> ApiError:
    """Tell that a range that is to go is not in the list."""
    return ApiError("AclEntryEmpty", "The specified entries are not in the acl.")


def too_many_access_entries(num_entries: int, limit: int) -> ApiError:
    """Tell that a list would grow too long (code from memory)."""
    return ApiError("AclEntryOverLimit", f"The acl would hold {num_entries} entries, of {limit} at most.")


def listener_exists(port: int) -> ApiError:
    """Tell that a port has a listener."""
    return ApiError("ListenerAlreadyExists", f"There is already a listener bound to the port {port}.")


def server_group_in_use() -> ApiError:
    """Tell that a listener still sends its traffic to a server group."""
    return ApiError("RspoolVipExist", "There is a listener associated with the specified VServerGroup.")


def server_group_ruled() -> ApiError:
    """Tell that a forwarding rule still sends its traffic to a server group."""
    return ApiError("RspoolRuleExist", "there are rules associating with this vServer group.")


def rule_not_found() -> ApiError:
    """Tell that there is no such forwarding rule."""
    return ApiError("InvalidRuleId.NotFound", "Rule does not exist.", 404)


def rule_exists() -> ApiError:
    """Tell that a listener has a rule for the same domain and URL."""
    return ApiError("DomainExist", "rule with same domain and url already exists in specified vip")


def too_many_rules() -> ApiError:
    """Tell that a listener would have too many rules."""
    return ApiError("TooManyRules", "the number of rules under specified vip is beyond maximum limit.")


def no_rules_here() -> ApiError:
    """Tell that only listeners of HTTP and HTTPS have rules."""
    return ApiError("RuleNotSupport", "Rule is not support in the tcp type listener.")


def rule_list_malformed() -> ApiError:
    """Tell that a list of rules cannot be read, or one of them lacks its server group or says nothing to match."""
    return ApiError("RuleListMalformed", "the specified parameter RuleList is unavailable.")


def domain_malformed(domain: str) -> ApiError:
    """Tell that a rule's domain is none."""
    return ApiError(
        "DomainMalformed", f"the specified domain in RuleList parameter is unavailable: {domain!r}."
    )


def url_malformed(url: str) -> ApiError:
    """Tell that a rule's URL is none."""
    return ApiError("UrlMalformed", f"the specified url in RuleList parameter is unavailable: {url!r}.")


def delete_protected() -> ApiError:
    """Tell that a load balancer is protected from being deleted."""
    return ApiError(
        "OperationDenied.DeleteProtectionIsOn",
        "The loadbalancer can't be deleted due to DeleteProtection is enabled.",
    )


def no_longer_sold(what: str) -> ApiError:
    """Tell that a sort of load balancer cannot be bought any more."""
    return ApiError(
        "InvalidParameter",
        f"{what} CLB instances are no longer available: set InstanceChargeType to PayByCLCU, without a spec.",
    )


def address_not_available(address: str) -> ApiError:
    """Tell that an address is taken or outside the VSwitch."""
    return ApiError("InvalidParameter", f"The specified Address is not available: {address}.")


def addresses_exhausted() -> ApiError:
    """Tell that a VSwitch has no free address."""
    return ApiError("VswitchIpNotEnough", "The specified vSwitch has not enough IP addresses.")


def resource_not_found(resource_id: str) -> ApiError:
    """Tell that there is no such resource to be moved (code from memory)."""
    return ApiError("ResourceNotFound", f"The specified resource does not exist: {resource_id!r}.", 404)


def unknown_resource_type(resource_type: str) -> ApiError:
    """Tell that tags cannot be set on such things."""
    return ApiError(
        "InvalidResourceType.NotFound", f"The ResourceType provided does not exist: {resource_type!r}.", 404
    )
