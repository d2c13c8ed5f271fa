"""Classic load balancers: TLS policies and domains of HTTPS listeners, their list, and what else is told of them."""

from __future__ import annotations

import pytest
from alibabacloud_slb20140515 import models
from contract_balancer import ClassicBalancer
from contract_fleet import REGION
from contract_sdk import refused
from contract_tls import CBC, GCM, OLD, PORT, V11, V12, V13, agreed, named_by, versions_taken
from tls_pair import Authority


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def upload(slb_client, authority):
    """Upload certificates, which are deleted after the load balancer that answers with them."""
    made = []

    def upload(name, *addresses):
        certificate, key = authority.issue(*addresses, name=name)
        request = models.UploadServerCertificateRequest(
            region_id=REGION, server_certificate=certificate, private_key=key
        )
        made.append(slb_client.upload_server_certificate(request).body.server_certificate_id)
        return made[-1]

    yield upload
    for certificate_id in made:
        delete_certificate(slb_client, certificate_id)


def delete_certificate(client, certificate_id):
    client.delete_server_certificate(
        models.DeleteServerCertificateRequest(region_id=REGION, server_certificate_id=certificate_id)
    )


@pytest.fixture
def balancer(servers, upload):
    balancer = ClassicBalancer(servers)
    balancer.add_servers()
    yield balancer
    balancer.delete()


class Policies:
    """TLS policies by the names of the tests' verbs."""

    def __init__(self, client):
        self.client = client
        self.made = []

    def create(self, versions, ciphers, name="own"):
        request = models.CreateTLSCipherPolicyRequest(
            region_id=REGION, name=name, tlsversions=versions, ciphers=ciphers
        )
        self.made.append(self.client.create_tlscipher_policy(request).body.tlscipher_policy_id)
        return self.made[-1]

    def change(self, policy_id, versions, ciphers, name="own"):
        self.client.set_tlscipher_policy_attribute(
            models.SetTLSCipherPolicyAttributeRequest(
                region_id=REGION,
                tlscipher_policy_id=policy_id,
                name=name,
                tlsversions=versions,
                ciphers=ciphers,
            )
        )

    def delete(self, policy_id):
        self.client.delete_tlscipher_policy(
            models.DeleteTLSCipherPolicyRequest(region_id=REGION, tlscipher_policy_id=policy_id)
        )

    def listed(self, **filters):
        request = models.ListTLSCipherPoliciesRequest(region_id=REGION, **filters)
        return self.client.list_tlscipher_policies(request).body.tlscipher_policies


@pytest.fixture
def policies(slb_client, balancer):
    policies = Policies(slb_client)
    yield policies
    for one in listed(slb_client, balancer, listener_port=PORT):
        slb_client.delete_load_balancer_listener(
            models.DeleteLoadBalancerListenerRequest(
                load_balancer_id=balancer.id, listener_port=one.listener_port
            )
        )
    for policy_id in policies.made:
        if policies.listed(tlscipher_policy_id=policy_id):
            policies.delete(policy_id)


def listed(client, balancer, **filters):
    request = models.DescribeLoadBalancerListenersRequest(
        region_id=REGION, load_balancer_id=[balancer.id], **filters
    )
    return client.describe_load_balancer_listeners(request).body.listeners


class TestPolicies:
    def test_say_what_clients_may_speak_and_a_change_is_in_force_at_once(
        self, policies, balancer, authority, upload
    ):
        policy_id = policies.create(["TLSv1.1", "TLSv1.2"], [CBC, OLD])
        certificate_id = upload("gateway.test", balancer.address)
        balancer.listen("https", PORT, server_certificate_id=certificate_id, tlscipher_policy=policy_id)
        assert versions_taken(balancer.address, authority) == [V11, V12]
        assert [agreed(balancer.address, authority, V12, one) for one in (CBC, GCM)] == [CBC, ""]
        (found,) = policies.listed(tlscipher_policy_id=policy_id, include_listener=True)
        assert (found.name, found.tlsversions, found.ciphers) == ("own", ["TLSv1.1", "TLSv1.2"], [CBC, OLD])
        users = [(one.load_balancer_id, one.port, one.protocol) for one in found.relate_listeners]
        assert users == [(balancer.id, PORT, "https")]
        policies.change(policy_id, ["TLSv1.3"], ["TLS_AES_256_GCM_SHA384"], "renamed")
        assert versions_taken(balancer.address, authority) == [V13]
        assert [one.instance_id for one in policies.listed(name="renamed")] == [policy_id]
        with refused("TLSCipherPolicyInUse"):
            policies.delete(policy_id)

    def test_that_cannot_be_are_refused(self, policies, balancer, upload):
        with refused("InvalidParameter", text="a cipher of TLSv1.1"):
            policies.create(["TLSv1.1"], [GCM])
        with refused("InvalidParameter", text="Name"):
            policies.create(["TLSv1.2"], [GCM], name="a")
        for call in (policies.delete, lambda one: policies.change(one, ["TLSv1.2"], [GCM])):
            with refused("InvalidParameter", 404, "TLSCipherPolicyId"):
                call("tls-none")
        with refused("InvalidParameter", text="TLSCipherPolicy"):
            balancer.listen(
                "https",
                PORT,
                server_certificate_id=upload("gateway.test", balancer.address),
                tlscipher_policy="tls-none",
            )


class Domains:
    """Domains of a listener by the names of the tests' verbs."""

    def __init__(self, client, balancer):
        self.client, self.balancer = client, balancer

    def create(self, domain, certificate_id, port=PORT):
        request = models.CreateDomainExtensionRequest(
            region_id=REGION,
            load_balancer_id=self.balancer.id,
            listener_port=port,
            domain=domain,
            server_certificate_id=certificate_id,
        )
        return self.client.create_domain_extension(request).body.domain_extension_id

    def change(self, extension_id, certificate_id):
        self.client.set_domain_extension_attribute(
            models.SetDomainExtensionAttributeRequest(
                region_id=REGION, domain_extension_id=extension_id, server_certificate_id=certificate_id
            )
        )

    def delete(self, extension_id):
        self.client.delete_domain_extension(
            models.DeleteDomainExtensionRequest(region_id=REGION, domain_extension_id=extension_id)
        )

    def listed(self):
        request = models.DescribeDomainExtensionsRequest(
            region_id=REGION, load_balancer_id=self.balancer.id, listener_port=PORT
        )
        found = self.client.describe_domain_extensions(request).body.domain_extensions.domain_extension
        return {one.domain: one.server_certificate_id for one in found}

    def describe(self, extension_id):
        request = models.DescribeDomainExtensionAttributeRequest(
            region_id=REGION, domain_extension_id=extension_id
        )
        return self.client.describe_domain_extension_attribute(request).body


class TestDomains:
    @pytest.fixture
    def domains(self, slb_client, balancer, upload):
        certificate_id = upload("gateway.test", balancer.address)
        balancer.listen("https", PORT, server_certificate_id=certificate_id)
        return Domains(slb_client, balancer)

    def test_are_answered_with_certificates_of_their_own(
        self, domains, balancer, authority, upload, slb_client
    ):
        first, second = upload("a.example"), upload("a.example", "127.0.0.1")
        extension_id = domains.create("a.example", first)
        assert [named_by(balancer.address, authority, name) for name in ("a.example", "b.example")] == [
            "a.example",
            "gateway.test",
        ]
        assert domains.listed() == {"a.example": first}
        with refused("CertificateAndPrivateKeyIsRefered"):
            delete_certificate(slb_client, first)
        domains.change(extension_id, second)
        found = domains.describe(extension_id)
        assert (found.domain, found.server_certificate_id, found.listener_port) == ("a.example", second, PORT)
        shown = balancer.describe("https", PORT).domain_extensions.domain_extension
        assert [one.domain_extension_id for one in shown] == [extension_id]
        domains.delete(extension_id)
        assert named_by(balancer.address, authority, "a.example") == "gateway.test"
        assert domains.listed() == {}

    def test_that_cannot_be_are_refused(self, domains, balancer, upload):
        certificate_id = upload("a.example")
        domains.create("a.example", certificate_id)
        with refused("DomainExtensionExist"):
            domains.create("a.example", certificate_id)
        with refused("DomainMalformed", text="no domain"):
            domains.create("no domain", certificate_id)
        with refused("ServerCertificateId.NotFound", 404):
            domains.create("b.example", "none")
        with refused("MissingParameter", text="ServerCertificateId"):
            domains.create("b.example", None)
        balancer.listen("http", 8080)
        with refused("InvalidParameter", 404):
            domains.create("b.example", certificate_id, 8080)
        for call in (domains.delete, domains.describe, lambda one: domains.change(one, certificate_id)):
            with refused("InvalidParameter.DomainExtensionId", 404):
                call("de-none")


class TestRedirects:
    def redirect(self, balancer, **settings):
        """Let a listener of HTTP send its clients to the one of HTTPS."""
        balancer.listen(
            "http",
            8080,
            **{"listener_forward": "on", "forward_port": PORT, "vserver_group_id": None, **settings},
        )

    def test_send_clients_to_the_https_listener(self, balancer, upload, slb_client):
        certificate_id = upload("gateway.test", balancer.address)
        balancer.listen("https", PORT, server_certificate_id=certificate_id)
        self.redirect(balancer)
        for path in ("/page?a=1", "/page"):
            status, headers, _ = balancer.get(8080, path, headers={"Host": "a.example:8080"})
            assert (status, headers["location"]) == (301, f"https://a.example:{PORT}{path}")
        shown = slb_client.describe_load_balancer_attribute(
            models.DescribeLoadBalancerAttributeRequest(region_id=REGION, load_balancer_id=balancer.id)
        ).body.listener_ports_and_protocol.listener_port_and_protocol
        assert {(one.listener_port, one.listener_forward, one.forward_port) for one in shown} == {
            (PORT, "off", None),
            (8080, "on", PORT),
        }
        found = balancer.describe("http", 8080)
        assert (found.listener_forward, found.forward_port) == ("on", PORT)

    def test_need_the_port_of_an_https_listener(self, balancer):
        with refused("MissingParameter", text="ForwardPort"):
            self.redirect(balancer, forward_port=None)
        with refused("InvalidParameter", text="HTTPS listener"):
            self.redirect(balancer)


class TestListeners:
    def test_of_every_protocol_are_listed_with_their_settings(self, balancer, upload, slb_client):
        certificate_id = upload("gateway.test", balancer.address)
        balancer.listen("http", 8080, description="web", idle_timeout=20)
        balancer.listen("https", PORT, server_certificate_id=certificate_id)
        balancer.listen("tcp", 8081)
        balancer.listen("udp", 8081)
        found = listed(slb_client, balancer)
        assert [(one.listener_protocol, one.listener_port, one.status) for one in found] == [
            ("http", 8080, "running"),
            ("https", PORT, "running"),
            ("tcp", 8081, "running"),
            ("udp", 8081, "running"),
        ]
        http, https, tcp, udp = found
        assert (http.description, http.httplistener_config.idle_timeout) == ("web", 20)
        assert https.httpslistener_config.server_certificate_id == certificate_id
        assert (tcp.tcplistener_config.established_timeout, tcp.vserver_group_id) == (900, balancer.group_id)
        assert udp.udplistener_config.health_check_interval == 5
        for filters, expected in (
            ({"listener_protocol": "https"}, [PORT]),
            ({"listener_port": 8081}, [8081, 8081]),
            ({"description": "web"}, [8080]),
        ):
            assert [one.listener_port for one in listed(slb_client, balancer, **filters)] == expected


class TestWhatElse:
    def test_regions_are_told(self, slb_client):
        regions = slb_client.describe_regions(models.DescribeRegionsRequest()).body.regions.region
        assert REGION in {one.region_id for one in regions}

    def test_what_is_sold_no_more_is_refused_and_what_is_so_anyway_is_fine(self, balancer, slb_client):
        names = {"region_id": REGION, "load_balancer_id": balancer.id}
        calls = (
            (
                slb_client.modify_load_balancer_instance_spec,
                models.ModifyLoadBalancerInstanceSpecRequest,
                {"load_balancer_spec": "slb.lcu.elastic"},
                {"load_balancer_spec": "slb.s2.small"},
            ),
            (
                slb_client.modify_load_balancer_instance_charge_type,
                models.ModifyLoadBalancerInstanceChargeTypeRequest,
                {"instance_charge_type": "PayByCLCU"},
                {"instance_charge_type": "PayBySpec"},
            ),
            (
                slb_client.modify_load_balancer_pay_type,
                models.ModifyLoadBalancerPayTypeRequest,
                {"pay_type": "PayOnDemand"},
                {"pay_type": "PrePay"},
            ),
        )
        for call, request_class, fine, sold_no_more in calls:
            call(request_class(**names, **fine))
            with refused("InvalidParameter", text="no longer available"):
                call(request_class(**names, **sold_no_more))
            with refused("InvalidLoadBalancerId.NotFound", 404):
                call(request_class(**{**names, "load_balancer_id": "lb-none"}, **fine))

    def test_resource_groups_take_load_balancers_certificates_and_lists(self, balancer, upload, slb_client):
        def move(kind, resource_id):
            slb_client.move_resource_group(
                models.MoveResourceGroupRequest(
                    region_id=REGION,
                    resource_type=kind,
                    resource_id=resource_id,
                    new_resource_group_id="rg-new",
                )
            )

        certificate_id = upload("gateway.test")
        move("loadbalancer", balancer.id)
        move("certificate", certificate_id)
        found = slb_client.describe_load_balancer_attribute(
            models.DescribeLoadBalancerAttributeRequest(region_id=REGION, load_balancer_id=balancer.id)
        ).body
        assert found.resource_group_id == "rg-new"
        request = models.DescribeServerCertificatesRequest(
            region_id=REGION, server_certificate_id=certificate_id
        )
        (found,) = slb_client.describe_server_certificates(
            request
        ).body.server_certificates.server_certificate
        assert found.resource_group_id == "rg-new"
        with refused("InvalidResourceType.NotFound", 404):
            move("planet", balancer.id)
        with refused("ResourceNotFound", 404):
            move("acl", "acl-none")
