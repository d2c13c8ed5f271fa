"""Application load balancers through the embedded engine and provider, against a real local cloud."""

from __future__ import annotations

import http.client
import socket
import ssl
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pulumi
import pulumi_alicloud as alicloud
import pytest
from cloud_api import api_of
from cryptography import x509
from cryptography.x509.oid import NameOID
from tls_pair import Authority
from traffic import wait_until

from steelyard.cluster.balancer_view import look
from steelyard.deploy import AlicloudProvider, Stack
from steelyard.deploy.engine.provider import Operation
from steelyard.errors import ResourceError
from steelyard.localcloud.daemon import CloudInfo

SERVER = """#!/bin/bash
address=$(curl -s "$STEELYARD_METADATA_URL/latest/meta-data/private-ipv4")
mkdir -p site/jobs && echo "$address" | tee site/index.html site/jobs/index.html
exec python3 -m http.server --bind "$address" --directory site 8000
"""
KINDS = (
    "alicloud:alb/loadBalancer:LoadBalancer",
    "alicloud:alb/serverGroup:ServerGroup",
    "alicloud:alb/listener:Listener",
    "alicloud:alb/rule:Rule",
    "alicloud:alb/acl:Acl",
    "alicloud:alb/aclEntryAttachment:AclEntryAttachment",
    "alicloud:alb/listenerAclAttachment:ListenerAclAttachment",
    "alicloud:alb/loadBalancerSecurityGroupAttachment:LoadBalancerSecurityGroupAttachment",
)


@dataclass(frozen=True, kw_only=True)
class Wanted:
    """What the program declares; each field is one input."""

    weights: tuple[int, int] = (100, 50)
    scheduler: str = "Wrr"
    port: int = 8080
    label: str = "one"
    edition: str = "Basic"
    address_type: str = "Intranet"
    paths: tuple[str, ...] = ("/jobs/*",)
    priority: int = 10
    is_protected: bool = False
    clients: tuple[str, ...] = ("127.0.0.0/8",)
    status: str = "Running"


def front(wanted: Wanted) -> Callable[[], None]:
    """Return a program with an application load balancer before two nodes, of which rules send jobs to the second."""

    def program() -> None:
        zones = alicloud.get_zones(available_resource_creation="VSwitch").ids[:2]
        net = alicloud.vpc.Network("net", cidr_block="10.67.0.0/16")
        switches = [
            alicloud.vpc.Switch(f"switch-{i}", vpc_id=net.id, cidr_block=f"10.67.{i}.0/24", zone_id=zone)
            for i, zone in enumerate(zones)
        ]
        nodes = _nodes(net, switches)
        balancer = alicloud.alb.LoadBalancer(
            "balancer",
            load_balancer_name=f"front-{wanted.label}",
            load_balancer_edition=wanted.edition,
            load_balancer_billing_config={"pay_type": "PayAsYouGo"},
            address_type=wanted.address_type,
            deletion_protection_enabled=wanted.is_protected,
            vpc_id=net.id,
            zone_mappings=[
                {"vswitch_id": switch.id, "zone_id": zone}
                for switch, zone in zip(switches, zones, strict=True)
            ],
            tags={"label": wanted.label},
        )
        everyone = _group("everyone", net, wanted, list(zip(nodes, wanted.weights, strict=True)))
        second = _group("second", net, wanted, [(nodes[1], 100)])
        listener = alicloud.alb.Listener(
            "listener",
            load_balancer_id=balancer.id,
            listener_protocol="HTTP",
            listener_port=wanted.port,
            default_actions=[_forward(everyone)],
            idle_timeout=60,
            x_forwarded_for_config={"x_forwarded_for_enabled": True, "x_forwarded_for_slb_id_enabled": True},
            status=wanted.status,
        )
        alicloud.alb.Rule(
            "rule",
            listener_id=listener.id,
            rule_name="jobs",
            priority=wanted.priority,
            rule_conditions=[{"type": "Path", "path_config": {"values": wanted.paths}}],
            rule_actions=[{"order": 1, **_forward(second)}],
        )
        guard = alicloud.ecs.SecurityGroup("guard", vpc_id=net.id)
        alicloud.alb.LoadBalancerSecurityGroupAttachment(
            "guarded", load_balancer_id=balancer.id, security_group_id=guard.id
        )
        acl = alicloud.alb.Acl("acl", acl_name=f"clients-{wanted.label}")
        entries = [{"entry": client} for client in wanted.clients]
        alicloud.alb.AclEntryAttachment("entry", acl_id=acl.id, entries=entries)
        alicloud.alb.ListenerAclAttachment(
            "clients", listener_id=listener.id, acl_id=acl.id, acl_type="White"
        )
        pulumi.export("address", balancer.dns_name)

    return program


def _nodes(net, switches) -> list[alicloud.ecs.Instance]:
    firewall = alicloud.ecs.SecurityGroup("firewall", vpc_id=net.id)
    image = alicloud.ecs.get_images(owners="system", name_regex="^ubuntu_24_04_x64", most_recent=True)
    nodes = []
    for number, switch in enumerate(switches):
        nodes.append(
            alicloud.ecs.Instance(
                f"node-{number}",
                image_id=image.images[0].id,
                instance_type="ecs.gn7i-c8g1.2xlarge",
                security_groups=[firewall.id],
                vswitch_id=switch.id,
                user_data=SERVER,
            )
        )
        pulumi.export(f"node-{number}", nodes[-1].primary_ip_address)
    return nodes


def _group(name: str, net, wanted: Wanted, servers) -> alicloud.alb.ServerGroup:
    return alicloud.alb.ServerGroup(
        name,
        server_group_name=f"{name}-{wanted.label}",
        vpc_id=net.id,
        scheduler=wanted.scheduler,
        connection_drain_config={"connection_drain_enabled": True, "connection_drain_timeout": 30},
        health_check_config={
            "health_check_enabled": True,
            "health_check_interval": 1,
            "health_check_timeout": 1,
            "healthy_threshold": 2,
        },
        servers=[
            {"server_id": server.id, "server_type": "Ecs", "port": 8000, "weight": weight}
            for server, weight in servers
        ],
        tags={"label": wanted.label},
    )


def _forward(group: alicloud.alb.ServerGroup) -> dict[str, Any]:
    config = {"server_group_tuples": [{"server_group_id": group.id}]}
    return {"type": "ForwardGroup", "forward_group_config": config}


def value(stack: Stack, name: str):
    return stack.outputs()[name].value


def served(stack: Stack, path: str = "/", port: int = 8080, num_requests: int = 15) -> Counter[str]:
    """Count the answers by node, each on a connection of its own; the others by their status."""
    names: Counter[str] = Counter()
    for _ in range(num_requests):
        connection = http.client.HTTPConnection(value(stack, "address"), port, timeout=30)
        connection.request("GET", path)
        answer = connection.getresponse()
        text = answer.read().decode().strip()
        names[text if answer.status == 200 else str(answer.status)] += 1
        connection.close()
    return names


def views(stack: Stack, info: CloudInfo):
    """Look at the load balancers as `steelyard status` does."""
    standing = stack.resources()
    return look(api_of(info), lambda kind: [item.id for item in standing if item.type == kind])


def test_an_application_load_balancer_comes_up_stays_changes_and_goes(
    stack: Stack, provider: AlicloudProvider, info: CloudInfo
) -> None:
    assert set(stack.up(front(Wanted()), provider).num_by_op) == {"create"}
    first, second = value(stack, "node-0"), value(stack, "node-1")
    wait_until(lambda: served(stack), lambda seen: seen == {first: 10, second: 5})
    wait_until(lambda: served(stack, "/jobs/index.html"), lambda seen: seen == {second: 15})
    seen = [view for view in views(stack, info) if view.weights]
    assert [sorted(view.weights.values()) for view in seen] == [[50, 100]]
    assert [set(view.health.values()) for view in seen] == [{"normal"}]

    assert set(stack.up(front(Wanted()), provider).num_by_op) == {"same"}
    assert set(stack.refresh(provider).num_by_op) == {"same"}

    other = Wanted(
        weights=(0, 50),
        scheduler="Wlc",
        label="two",
        edition="Standard",
        address_type="Internet",
        paths=("/jobs/*", "/nodes/*"),
        priority=5,
        clients=("10.0.0.0/8", "0.0.0.0/0"),
        is_protected=True,
    )
    changed = stack.up(front(other), provider)
    assert (changed.num_by_op["update"], changed.num_by_op.get("replace", 0)) == (6, 0)
    wait_until(lambda: served(stack), lambda seen: seen == {second: 15})
    wait_until(lambda: served(stack, "/nodes/x"), lambda seen: seen == {"404": 15})
    named = {resource.name: resource for resource in stack.resources()}
    outputs = {name: named[name].outputs for name in ("balancer", "everyone", "rule", "acl")}
    assert (outputs["balancer"]["loadBalancerName"], outputs["balancer"]["loadBalancerEdition"]) == (
        "front-two",
        "Standard",
    )
    assert value(stack, "address") == outputs["balancer"]["zoneMappings"][0]["address"]
    assert outputs["everyone"]["tags"] == outputs["balancer"]["tags"] == {"label": "two"}
    assert (outputs["everyone"]["scheduler"], outputs["rule"]["priority"]) == ("Wlc", 5)
    assert outputs["acl"]["aclName"] == "clients-two"
    with pytest.raises(ResourceError, match="DeletionProtection"):
        provider.delete(KINDS[0], named["balancer"].id, {}, Operation(urn=""))

    moved = stack.up(front(Wanted(port=8081, label="two", edition="Standard", status="Stopped")), provider)
    # The listener goes before the new one comes, and with it its rule and its list of clients.
    assert moved.num_by_op["replace"] == 3
    assert {item.outputs.get("status") for item in stack.resources() if item.type == KINDS[2]} == {"Stopped"}

    stack.destroy(provider)
    assert not stack.resources()
    for name, kind in zip(
        ("balancer", "everyone", "listener", "rule", "acl", "entry", "clients", "guarded"), KINDS, strict=True
    ):
        assert provider.read(kind, named[name].id, Operation(urn="")) is None


def secure(*names: str, path: str = "/healthz") -> Callable[[], None]:
    """Return a program with a listener of HTTPS that has a certificate for each name, and a template."""
    authority = Authority()
    pairs = {name: authority.issue(name=name) for name in names}

    def program() -> None:
        zones = alicloud.get_zones(available_resource_creation="VSwitch").ids[:2]
        net = alicloud.vpc.Network("net", cidr_block="10.68.0.0/16")
        balancer = alicloud.alb.LoadBalancer(
            "balancer",
            load_balancer_edition="Standard",
            load_balancer_billing_config={"pay_type": "PayAsYouGo"},
            address_type="Intranet",
            vpc_id=net.id,
            zone_mappings=[
                {
                    "zone_id": zone,
                    "vswitch_id": alicloud.vpc.Switch(
                        f"switch-{i}", vpc_id=net.id, cidr_block=f"10.68.{i}.0/24", zone_id=zone
                    ).id,
                }
                for i, zone in enumerate(zones)
            ],
        )
        group = alicloud.alb.ServerGroup(
            "group",
            server_group_name="calls",
            protocol="GRPC",
            vpc_id=net.id,
            health_check_config={"health_check_enabled": True, "health_check_protocol": "GRPC"},
        )
        ids = [
            pulumi.Output.concat(
                alicloud.cas.ServiceCertificate(name, certificate_name=name, cert=cert, key=key).id,
                "-cn-hangzhou",
            )
            for name, (cert, key) in pairs.items()
        ]
        listener = alicloud.alb.Listener(
            "listener",
            load_balancer_id=balancer.id,
            listener_protocol="HTTPS",
            listener_port=8443,
            certificates={"certificate_id": ids[0]},
            security_policy_id="tls_cipher_policy_1_2",
            default_actions=[_forward(group)],
        )
        for name, certificate_id in zip(names[1:], ids[1:], strict=True):
            alicloud.alb.ListenerAdditionalCertificateAttachment(
                f"more-{name}", listener_id=listener.id, certificate_id=certificate_id
            )
        alicloud.alb.HealthCheckTemplate(
            "template", health_check_template_name="pages", health_check_path=path
        )
        pulumi.export("address", balancer.dns_name)

    return program


def answered(stack: Stack, name: str) -> str:
    """Give the name in the certificate that a client of a server's name gets; nobody's authority is asked."""
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
    with (
        socket.create_connection((value(stack, "address"), 8443), timeout=30) as plain,
        tls.wrap_socket(plain, server_hostname=name) as secured,
    ):
        certificate = x509.load_der_x509_certificate(secured.getpeercert(True) or b"")
    return str(certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


def test_certificates_and_templates_come_change_and_go(stack: Stack, provider: AlicloudProvider) -> None:
    assert set(stack.up(secure("a.test", "b.test"), provider).num_by_op) == {"create"}
    assert [answered(stack, name) for name in ("a.test", "b.test", "c.test")] == [
        "a.test",
        "b.test",
        "a.test",
    ]
    assert set(stack.refresh(provider).num_by_op) == {"same"}
    stack.up(secure("c.test", path="/other"), provider)
    assert [answered(stack, name) for name in ("a.test", "b.test")] == ["c.test", "c.test"]
    template = next(item for item in stack.resources() if item.name == "template")
    assert template.outputs["healthCheckPath"] == "/other"
    stack.destroy(provider)
    assert provider.read(template.type, template.id, Operation(urn="")) is None


def test_what_the_cloud_does_not_serve_fails_with_the_clouds_own_word(
    stack: Stack, provider: AlicloudProvider
) -> None:
    def program() -> None:
        net = alicloud.vpc.Network("net", cidr_block="10.67.0.0/16")
        alicloud.alb.ServerGroup(
            "group",
            server_group_name="functions",
            server_group_type="Fc",
            vpc_id=net.id,
            health_check_config={"health_check_enabled": False},
        )

    with pytest.raises(ResourceError, match="does not serve server groups of functions"):
        stack.up(program, provider)
