"""TLS, access lists, rules and protection through the embedded engine and provider, against a real local cloud."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pulumi
import pulumi_alicloud as alicloud
import pytest
from tls_pair import Authority

from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.provider.api import CAS, NLB, SLB, Api
from steelyard.errors import ResourceError


@pytest.fixture(scope="module")
def authority() -> Authority:
    return Authority()


def classic(
    pair: tuple[str, str],
    *,
    cidrs: tuple[str, ...] = ("127.0.0.0/8",),
    policy: str = "tls_cipher_policy_1_2",
    protection: str = "off",
    name: str = "gateway",
    path: str = "/jobs",
) -> Callable[[], None]:
    """Return a program with a classic load balancer that listens for HTTPS, TCP and HTTP with a rule."""

    def program() -> None:
        net = alicloud.vpc.Network("net", cidr_block="10.67.0.0/16")
        switch = alicloud.vpc.Switch(
            "switch", vpc_id=net.id, cidr_block="10.67.0.0/24", zone_id="cn-hangzhou-h"
        )
        balancer = alicloud.slb.ApplicationLoadBalancer(
            "balancer",
            address_type="intranet",
            vswitch_id=switch.id,
            instance_charge_type="PayByCLCU",
            delete_protection=protection,
        )
        groups = [
            alicloud.slb.ServerGroup(word, load_balancer_id=balancer.id, name=word) for word in ("one", "two")
        ]
        certificate = alicloud.slb.ServerCertificate(
            "certificate",
            name=name,
            server_certificate=pair[0],
            private_key=pulumi.Output.secret(pair[1]),
            tags={"label": name},
        )
        acl = alicloud.slb.Acl("acl", name="clients", ip_version="ipv4")
        entries = [
            alicloud.slb.AclEntryAttachment(
                f"entry-{cidr.replace('/', '-')}", acl_id=acl.id, entry=cidr, comment="let in"
            )
            for cidr in cidrs
        ]
        alicloud.slb.Listener(
            "https",
            load_balancer_id=balancer.id,
            frontend_port=8443,
            protocol="https",
            server_group_id=groups[0].id,
            server_certificate_id=certificate.id,
            tls_cipher_policy=policy,
            enable_http2="on",
            sticky_session="on",
            sticky_session_type="insert",
            cookie_timeout=600,
            x_forwarded_for={"retrive_slb_proto": True},
            acl_status="on",
            acl_type="white",
            acl_ids=[acl.id],
            health_check="off",
            opts=pulumi.ResourceOptions(depends_on=entries),
        )
        alicloud.slb.Listener(
            "tcp",
            load_balancer_id=balancer.id,
            frontend_port=8081,
            protocol="tcp",
            server_group_id=groups[0].id,
            scheduler="sch",
            persistence_timeout=60,
            health_check="off",
        )
        alicloud.slb.Listener(
            "udp",
            load_balancer_id=balancer.id,
            frontend_port=5353,
            protocol="udp",
            server_group_id=groups[1].id,
            scheduler="sch",
            health_check="on",
            health_check_interval=3,
        )
        http = alicloud.slb.Listener(
            "http",
            load_balancer_id=balancer.id,
            frontend_port=8080,
            protocol="http",
            server_group_id=groups[0].id,
            sticky_session="off",
            health_check="off",
        )
        rule = alicloud.slb.Rule(
            "rule",
            load_balancer_id=balancer.id,
            frontend_port=8080,
            name="jobs",
            url=path,
            server_group_id=groups[1].id,
            opts=pulumi.ResourceOptions(depends_on=[http]),
        )
        pulumi.export("balancer", balancer.id)
        pulumi.export("address", balancer.address)
        pulumi.export("acl", acl.id)
        pulumi.export("certificate", certificate.id)
        pulumi.export("rule", rule.id)

    return program


def network(
    pair: tuple[str, str], *, is_protected: bool = False, policy: str = "tls_cipher_policy_1_2"
) -> Callable[[], None]:
    """Return a program with a network load balancer that listens for TLS."""

    def program() -> None:
        zones = ("cn-hangzhou-h", "cn-hangzhou-i")
        net = alicloud.vpc.Network("net", cidr_block="10.67.0.0/16")
        switches = [
            alicloud.vpc.Switch(f"switch-{i}", vpc_id=net.id, cidr_block=f"10.67.{i}.0/24", zone_id=zone)
            for i, zone in enumerate(zones)
        ]
        security_group = alicloud.ecs.SecurityGroup("security-group", vpc_id=net.id)
        balancer = alicloud.nlb.LoadBalancer(
            "balancer",
            address_type="Intranet",
            vpc_id=net.id,
            zone_mappings=[
                {"vswitch_id": switch.id, "zone_id": zone}
                for switch, zone in zip(switches, zones, strict=True)
            ],
            deletion_protection_enabled=True if is_protected else None,
        )
        alicloud.nlb.LoadBalancerSecurityGroupAttachment(
            "membership", load_balancer_id=balancer.id, security_group_id=security_group.id
        )
        group = alicloud.nlb.ServerGroup(
            "group",
            server_group_name="nodes",
            vpc_id=net.id,
            protocol="TCPSSL",
            health_check={"health_check_enabled": False},
        )
        certificate = alicloud.cas.ServiceCertificate(
            "certificate", certificate_name="of-the-stack", cert=pair[0], key=pair[1], tags={"label": "one"}
        )
        alicloud.nlb.Listener(
            "listener",
            load_balancer_id=balancer.id,
            listener_protocol="TCPSSL",
            listener_port=8443,
            server_group_id=group.id,
            certificate_ids=[certificate.id],
            security_policy_id=policy,
            alpn_enabled=True,
            alpn_policy="HTTP2Optional",
        )
        pulumi.export("balancer", balancer.id)
        pulumi.export("certificate", certificate.id)

    return program


def changed(result) -> dict[str, list[str]]:
    """Return the names of what a run did anything with, by what it did."""
    found: dict[str, list[str]] = {}
    for step in result.steps:
        if step.status == "done" and step.op != "same" and not step.type.startswith("pulumi:"):
            found.setdefault(step.op, []).append(step.name)
    return {op: sorted(names) for op, names in found.items()}


def output(stack: Stack, name: str) -> str:
    return str(stack.outputs(show_secrets=True)[name].value)


def test_a_classic_front_comes_up_once_changes_in_place_and_goes(
    stack: Stack, provider: AlicloudProvider, api: Api, authority: Authority
) -> None:
    pair = authority.issue("127.0.0.1")
    assert stack.up(classic(pair), provider).error is None
    assert changed(stack.up(classic(pair), provider)) == {}
    target = {"LoadBalancerId": output(stack, "balancer"), "ListenerPort": 8443}
    listener = api.call(SLB, "DescribeLoadBalancerHTTPSListenerAttribute", target)
    assert listener["ServerCertificateId"] == output(stack, "certificate")
    assert (listener["TLSCipherPolicy"], listener["StickySessionType"]) == ("tls_cipher_policy_1_2", "insert")
    assert (listener["XForwardedFor_proto"], listener["AclIds"]["AclId"]) == ("on", [output(stack, "acl")])
    udp = {**target, "ListenerPort": 5353}
    datagrams = api.call(SLB, "DescribeLoadBalancerUDPListenerAttribute", udp)
    assert (datagrams["Status"], datagrams["Scheduler"]) == ("running", "sch")
    assert (datagrams["HealthCheck"], datagrams["HealthCheckInterval"]) == ("on", 3)
    rule = api.call(SLB, "DescribeRuleAttribute", {"RuleId": output(stack, "rule")})
    assert (rule["RuleName"], rule["Url"]) == ("jobs", "/jobs")

    wanted = classic(
        pair,
        cidrs=("127.0.0.0/8", "10.0.0.0/8"),
        policy="tls_cipher_policy_1_2_strict",
        protection="on",
        name="front",
        path="/work",
    )
    done = changed(stack.up(wanted, provider))
    assert done["update"] == ["balancer", "certificate", "https"]
    assert done["create"] == ["entry-10.0.0.0-8"]
    assert "rule" in done["replace"]
    acl = api.call(SLB, "DescribeAccessControlListAttribute", {"AclId": output(stack, "acl")})
    assert [row["AclEntryIP"] for row in acl["AclEntrys"]["AclEntry"]] == ["127.0.0.0/8", "10.0.0.0/8"]
    assert (
        api.call(SLB, "DescribeLoadBalancerHTTPSListenerAttribute", target)["TLSCipherPolicy"]
        == "tls_cipher_policy_1_2_strict"
    )
    with pytest.raises(ResourceError, match="DeleteProtectionIsOn"):
        stack.destroy(provider)
    stack.up(classic(pair), provider)
    assert changed(stack.destroy(provider))["delete"]
    assert api.call(SLB, "DescribeServerCertificates", {})["ServerCertificates"]["ServerCertificate"] == []


def test_the_key_of_a_certificate_is_kept_sealed(
    stack: Stack, provider: AlicloudProvider, tmp_path: Path, authority: Authority
) -> None:
    pair = authority.issue("127.0.0.1")
    stack.up(classic(pair), provider)
    secret_line = pair[1].splitlines()[2]
    kept = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert kept
    assert not [path for path in kept if secret_line in path.read_text(errors="replace")]


def test_a_network_front_takes_its_certificate_from_the_service_and_is_protected(
    stack: Stack, provider: AlicloudProvider, api: Api, authority: Authority
) -> None:
    pair = authority.issue("127.0.0.1")
    assert stack.up(network(pair), provider).error is None
    assert changed(stack.up(network(pair), provider)) == {}
    number = int(output(stack, "certificate"))
    detail = api.call(CAS, "GetUserCertificateDetail", {"CertId": number})
    assert (detail["Name"], detail["Tags"]) == ("of-the-stack", [{"TagKey": "label", "TagValue": "one"}])

    joined = api.call(NLB, "GetLoadBalancerAttribute", {"LoadBalancerId": output(stack, "balancer")})
    assert len(joined["SecurityGroupIds"]) == 1

    wanted = network(pair, is_protected=True, policy="tls_cipher_policy_1_2_strict")
    assert changed(stack.up(wanted, provider)) == {"update": ["balancer", "listener"]}
    (found,) = api.call(NLB, "ListListeners", {"LoadBalancerIds": [output(stack, "balancer")]})["Listeners"]
    assert (found["SecurityPolicyId"], found["AlpnPolicy"]) == (
        "tls_cipher_policy_1_2_strict",
        "HTTP2Optional",
    )
    with pytest.raises(ResourceError, match="DeletionProtection"):
        stack.destroy(provider)
    stack.up(network(pair), provider)
    stack.destroy(provider)
    rows = api.call(CAS, "ListUserCertificateOrder", {"OrderType": "UPLOAD"})["CertificateOrderList"]
    assert rows == []
