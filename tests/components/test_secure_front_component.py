"""TLS, sticky sessions, access lists, protection and bounded egress, as the components declare them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from recording_monitor import Offer, Recording, record
from tls_pair import Authority

from steelyard.components.balancer_args import LoadBalancerArgs
from steelyard.components.certificate import CertificateArgs
from steelyard.components.firewall import Firewall, FirewallArgs
from steelyard.components.load_balancer import LoadBalancer
from steelyard.components.program import declare
from steelyard.errors import UsageError
from steelyard.spec import ClusterSpec, HealthCheckSpec, ListenerSpec
from steelyard.spec.catalogue import REGIONS

TOKEN = "f" * 64
HTTPS, TCP, TLS = (
    ListenerSpec(port=443, protocol="https"),
    ListenerSpec(port=81, protocol="tcp"),
    ListenerSpec(port=443, protocol="tcpssl"),
)
UDP = ListenerSpec(port=53, protocol="udp")
UPLOADED = CertificateArgs(certificate="CERTIFICATE", key="KEY", policy="tls_cipher_policy_1_2_strict")
GIVEN = CertificateArgs(certificate_id="12345678")


def declared(**changes: object) -> Recording:
    wanted: dict[str, Any] = {
        "cluster": "demo",
        "vpc_id": "vpc-1",
        "vswitch_ids": ("vsw-1", "vsw-2"),
        "zones": ("z-a", "z-b"),
        "listeners": (HTTPS,),
        "certificate": UPLOADED,
        "health_check": HealthCheckSpec(),
    }
    args = LoadBalancerArgs(**{**wanted, **changes})
    return record(lambda: LoadBalancer("lb", args))


def egress_of(*egress_cidrs: str) -> Recording:
    args = FirewallArgs(
        cluster="demo",
        vpc_id="vpc-1",
        gateway_port=8000,
        egress_cidrs=egress_cidrs,
        member_cidrs=["10.64.0.0/20", "10.64.16.0/20"],
    )
    return record(lambda: Firewall("wall", args))


class TestCertificate:
    def test_a_classic_balancer_uploads_its_own_and_keeps_the_key_a_secret(self) -> None:
        recording = declared()
        certificate = recording.the("slb/serverCertificate:ServerCertificate")
        assert certificate.inputs["serverCertificate"] == "CERTIFICATE"
        assert certificate.inputs["privateKey"] == "KEY"
        assert "privateKey" in certificate.secret_inputs
        assert certificate.inputs["name"].startswith("demo-")
        listener = recording.the(":Listener").inputs
        assert listener["serverCertificateId"] == "lb-certificate-id"
        assert (listener["protocol"], listener["tlsCipherPolicy"]) == (
            "https",
            "tls_cipher_policy_1_2_strict",
        )
        assert recording.parent_of(certificate).name == "lb"

    def test_another_certificate_has_another_name(self) -> None:
        names = {
            declared(certificate=CertificateArgs(certificate=text, key="KEY"))
            .the(":ServerCertificate")
            .inputs["name"]
            for text in ("ONE", "TWO")
        }
        assert len(names) == 2

    def test_a_network_balancer_takes_its_own_from_the_certificate_service(self) -> None:
        recording = declared(kind="network", listeners=(TLS, TCP))
        certificate = recording.the("cas/serviceCertificate:ServiceCertificate")
        assert (certificate.inputs["cert"], certificate.inputs["key"]) == ("CERTIFICATE", "KEY")
        assert "key" in certificate.secret_inputs
        secure, plain = (recording.named(f"lb-listener-{port}") for port in (443, 81))
        assert secure.inputs["listenerProtocol"] == "TCPSSL"
        assert secure.inputs["certificateIds"] == ["lb-certificate-id"]
        assert secure.inputs["securityPolicyId"] == "tls_cipher_policy_1_2_strict"
        assert plain.inputs["listenerProtocol"] == "TCP"
        assert "certificateIds" not in plain.inputs

    @pytest.mark.parametrize(("kind", "listener"), [("classic", HTTPS), ("network", TLS)])
    def test_one_that_is_there_is_not_made_again(self, kind: str, listener: ListenerSpec) -> None:
        recording = declared(kind=kind, listeners=(listener,), certificate=GIVEN)
        assert not recording.of_type("Certificate")
        inputs = recording.the(":Listener").inputs
        assert "12345678" in (inputs.get("serverCertificateId"), *inputs.get("certificateIds", ()))


class TestClassicFront:
    def test_a_listener_of_connections_has_its_own_settings(self) -> None:
        inputs = declared(listeners=(TCP,), certificate=None, scheduler="sch").the(":Listener").inputs
        assert (inputs["protocol"], inputs["scheduler"]) == ("tcp", "sch")
        assert (inputs["healthCheckType"], inputs["healthCheckUri"]) == ("http", "/healthz")
        assert inputs["establishedTimeout"] == 900
        assert not {"stickySession", "healthCheckMethod", "persistenceTimeout"} & inputs.keys()

    def test_clients_are_kept_by_a_cookie_or_by_their_address(self) -> None:
        recording = declared(listeners=(HTTPS, TCP), sticky_session_s=60)
        by_cookie, by_address = (recording.named(f"lb-listener-{port}").inputs for port in (443, 81))
        assert (by_cookie["stickySession"], by_cookie["stickySessionType"]) == ("on", "insert")
        assert by_cookie["cookieTimeout"] == 60
        assert by_address["persistenceTimeout"] == 60

    def test_an_access_list_stands_with_its_entries_before_the_listeners_that_name_it(self) -> None:
        cidrs = ("203.0.113.0/24", "198.51.100.7/32")
        recording = declared(listeners=(HTTPS, TCP), access_cidrs=cidrs)
        entries = recording.of_type(":AclEntryAttachment")
        assert {one.inputs["entry"] for one in entries} == set(cidrs)
        assert {one.inputs["aclId"] for one in entries} == {"lb-access-id"}
        for listener in recording.of_type(":Listener"):
            assert (listener.inputs["aclStatus"], listener.inputs["aclType"]) == ("on", "white")
            assert listener.inputs["aclIds"] == ["lb-access-id"]
            assert {one.urn for one in entries} <= set(listener.dependencies)

    def test_protection_is_a_switch(self) -> None:
        assert declared(is_protected=True).the(":ApplicationLoadBalancer").inputs["deleteProtection"] == "on"
        assert "deleteProtection" not in declared().the(":ApplicationLoadBalancer").inputs
        network = declared(kind="network", listeners=(TLS,), is_protected=True)
        assert network.the("nlb/loadBalancer:LoadBalancer").inputs["deletionProtectionEnabled"] is True


class TestDatagrams:
    def test_a_classic_balancer_passes_them_on_and_probes_by_them(self) -> None:
        recording = declared(listeners=(UDP, TCP), certificate=None, scheduler="sch")
        inputs = recording.named("lb-listener-53").inputs
        assert (inputs["protocol"], inputs["scheduler"], inputs["healthCheck"]) == ("udp", "sch", "on")
        assert not [name for name in inputs if "Uri" in name or "Http" in name or "sticky" in name.lower()]

    def test_a_network_balancer_has_a_group_for_them(self) -> None:
        recording = declared(kind="network", listeners=(UDP,), certificate=None)
        group = recording.the("nlb/serverGroup:ServerGroup").inputs
        assert (group["protocol"], group["healthCheck"]["healthCheckType"]) == ("UDP", "UDP")
        assert recording.the("nlb/listener:Listener").inputs["listenerProtocol"] == "UDP"

    def test_a_network_balancers_group_takes_nothing_beside_them(self) -> None:
        with pytest.raises(UsageError, match="datagrams or connections") as caught:
            declared(kind="network", listeners=(UDP, TCP), certificate=None)
        assert "`kind: classic`" in caught.value.hint


class TestEgress:
    def test_it_is_open_by_default(self) -> None:
        assert [
            one for one in egress_of().of_type(":SecurityGroupRule") if one.inputs["type"] == "egress"
        ] == []

    def test_it_is_bound_to_the_nodes_vswitches_the_cloud_and_what_is_listed(self) -> None:
        recording = egress_of("198.51.100.0/24", "100.64.0.0/10")
        rules = [
            one.inputs for one in recording.of_type(":SecurityGroupRule") if one.inputs["type"] == "egress"
        ]
        accepted = [rule for rule in rules if rule["policy"] == "accept"]
        assert sorted(rule["cidrIp"] for rule in accepted) == [
            "10.64.0.0/20",
            "10.64.16.0/20",
            "100.64.0.0/10",
            "198.51.100.0/24",
        ]
        (last,) = [rule for rule in rules if rule["policy"] == "drop"]
        assert (last["cidrIp"], last["priority"]) == ("0.0.0.0/0", 100)
        assert all(rule["priority"] < 100 and rule["ipProtocol"] == "all" for rule in accepted)

    def test_it_is_not_bound_where_the_nodes_would_not_reach_each_other(self) -> None:
        args = FirewallArgs(
            cluster="demo", vpc_id="vpc-1", gateway_port=8000, egress_cidrs=["198.51.100.0/24"]
        )
        with pytest.raises(UsageError, match="each other") as caught:
            record(lambda: Firewall("wall", args))
        assert "member_cidrs" in caught.value.hint

    def test_a_cluster_lets_its_nodes_call_its_own_vswitches(self) -> None:
        access = {"egress_cidrs": ["198.51.100.0/24"]}
        spec = ClusterSpec.model_validate({"name": "demo", "access": access})
        assert {*spec.vswitch_cidrs} < egress_cidrs(record(lambda: declare(spec, TOKEN)))

    def test_a_cluster_in_an_existing_network_looks_its_vswitches_ranges_up(self) -> None:
        network = {"vpc_id": "vpc-theirs", "vswitch_ids": ["vsw-a"]}
        access = {"egress_cidrs": ["198.51.100.0/24"]}
        zone = REGIONS["cn-hangzhou"][0]
        spec = ClusterSpec.model_validate(
            {"name": "demo", "zones": [zone], "network": network, "access": access}
        )
        recording = record(lambda: declare(spec, TOKEN), offer=Offer(standing={zone: "172.16.3.0/24"}))
        (lookup,) = (args for token, args in recording.calls if token.endswith(":getSwitches"))
        assert (lookup["ids"], lookup["vpcId"]) == (["vsw-a"], "vpc-theirs")
        assert "172.16.3.0/24" in egress_cidrs(recording)


def egress_cidrs(recording: Recording) -> set[str]:
    rules = [one.inputs for one in recording.of_type(":SecurityGroupRule")]
    return {rule["cidrIp"] for rule in rules if (rule["type"], rule["policy"]) == ("egress", "accept")}


class TestCluster:
    @pytest.fixture
    def files(self, tmp_path: Path) -> dict[str, str]:
        certificate, key = Authority().issue(name="gateway.test")
        (tmp_path / "gateway.pem").write_text(certificate)
        (tmp_path / "gateway.key").write_text(key)
        return {
            "certificate_file": str(tmp_path / "gateway.pem"),
            "key_file": str(tmp_path / "gateway.key"),
        }

    @pytest.mark.parametrize(("kind", "protocol"), [("classic", "https"), ("network", "tcpssl")])
    def test_its_gateways_are_called_by_https(self, files: dict[str, str], kind: str, protocol: str) -> None:
        front = {"kind": kind, "listeners": [{"port": 443, "protocol": protocol}], "tls": files}
        spec = ClusterSpec.model_validate({"name": "demo", "load_balancer": front})
        recording = record(lambda: declare(spec, TOKEN))
        assert recording.exports["gateway_url"].startswith("https://")
        assert recording.exports["gateway_url"].endswith(":443")

    def test_a_file_that_is_not_there_is_told_before_anything_is_declared(
        self, files: dict[str, str]
    ) -> None:
        front = {
            "listeners": [{"port": 443, "protocol": "https"}],
            "tls": {**files, "key_file": "/none/gateway.key"},
        }
        spec = ClusterSpec.model_validate({"name": "demo", "load_balancer": front})
        with pytest.raises(UsageError, match=r"/none/gateway\.key cannot be read"):
            record(lambda: declare(spec, TOKEN))
