"""Network load balancers: TCPSSL listeners with certificates of the certificate service, with real traffic."""

from __future__ import annotations

import http.client
import ssl

import pytest
from alibabacloud_cas20200407 import models as cas
from alibabacloud_cas20200407.client import Client as CasClient
from alibabacloud_nlb20220430 import models
from contract_fleet import REGION
from contract_network import NetworkBalancer
from contract_sdk import refused, sdk_config
from contract_servers import HTTP_PORT
from contract_tls import named_by
from tls_pair import Authority


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def certificates(local_cloud):
    return CasClient(sdk_config(local_cloud))


@pytest.fixture
def upload(certificates, authority):
    made = []

    def upload(address, name="gateway.test"):
        certificate, key = authority.issue(address, name=name)
        request = cas.UploadUserCertificateRequest(name=f"{name}-{address}", cert=certificate, key=key)
        made.append(certificates.upload_user_certificate(request).body.cert_id)
        return made[-1]

    yield upload
    for number in made:
        certificates.delete_user_certificate(cas.DeleteUserCertificateRequest(cert_id=number))


@pytest.fixture
def network(nlb_client, servers, upload):
    """A load balancer, which is gone before the certificates that its listeners use are cleared away."""
    balancer = NetworkBalancer(nlb_client, servers)
    yield balancer
    balancer.delete()


def get(balancer, port, tls):
    connection = http.client.HTTPSConnection(balancer.address, port, context=tls, timeout=5)
    connection.request("GET", "/page")
    subject = dict(connection.sock.getpeercert()["subject"][0])["commonName"]
    body = connection.getresponse().read().decode()
    connection.close()
    return subject, body.split()[1]


def test_a_listener_ends_tls_with_a_certificate_by_number_or_identifier(network, upload, authority, servers):
    number, group_id = upload(network.address), network.make_group()
    listener_id = network.listen("TCPSSL", 8443, group_id, certificate_ids=[str(number)])
    network.listen("TCPSSL", 8444, group_id, certificate_ids=[f"{number}-cn-hangzhou"])
    assert get(network, 8443, authority.trusting()) == ("gateway.test", "/page")
    assert get(network, 8444, authority.trusting()) == ("gateway.test", "/page")
    found = network.describe(listener_id)
    assert (found.listener_protocol, found.certificate_ids) == ("TCPSSL", [str(number)])
    assert found.security_policy_id == "tls_cipher_policy_1_0"
    with pytest.raises(ssl.SSLCertVerificationError):
        get(network, 8443, Authority("Somebody else").trusting())


def test_another_certificate_takes_over(network, upload, authority, certificates):
    first, second = upload(network.address, "a.test"), upload(network.address, "b.test")
    listener_id = network.listen("TCPSSL", 8443, network.make_group(), certificate_ids=[str(first)])
    with refused("CertificateInUse", text=listener_id):
        certificates.delete_user_certificate(cas.DeleteUserCertificateRequest(cert_id=first))
    network.change(listener_id, certificate_ids=[str(second)], security_policy_id="tls_cipher_policy_1_2")
    assert get(network, 8443, authority.trusting())[0] == "b.test"
    listed = network.client.list_listener_certificates(
        models.ListListenerCertificatesRequest(region_id=REGION, listener_id=listener_id)
    ).body
    assert [(one.certificate_id, one.is_default) for one in listed.certificates] == [(str(second), True)]


class TestAdditionalCertificates:
    @staticmethod
    def change(balancer, call, request_class, listener_id, *certificate_ids):
        request = request_class(
            region_id=REGION, listener_id=listener_id, additional_certificate_ids=list(certificate_ids)
        )
        job_id = getattr(balancer.client, call)(request).body.job_id
        listed = balancer.client.list_asyn_jobs(models.ListAsynJobsRequest(job_ids=[job_id, "none"])).body
        assert [(job.id, job.status) for job in listed.jobs] == [(job_id, "Succeeded")]

    def associate(self, balancer, listener_id, *certificate_ids):
        request_class = models.AssociateAdditionalCertificatesWithListenerRequest
        call = "associate_additional_certificates_with_listener"
        self.change(balancer, call, request_class, listener_id, *certificate_ids)

    def disassociate(self, balancer, listener_id, *certificate_ids):
        request_class = models.DisassociateAdditionalCertificatesWithListenerRequest
        call = "disassociate_additional_certificates_with_listener"
        self.change(balancer, call, request_class, listener_id, *certificate_ids)

    def test_answer_clients_that_ask_for_their_names(self, network, upload, authority, certificates):
        default, further = upload(network.address), upload(network.address, "further.test")
        listener_id = network.listen("TCPSSL", 8443, network.make_group(), certificate_ids=[str(default)])
        self.associate(network, listener_id, str(further))
        assert [named_by(network.address, authority, one) for one in ("further.test", "unknown.test")] == [
            "further.test",
            "gateway.test",
        ]
        listed = network.client.list_listener_certificates(
            models.ListListenerCertificatesRequest(region_id=REGION, listener_id=listener_id)
        ).body
        assert [(one.certificate_id, one.is_default) for one in listed.certificates] == [
            (str(default), True),
            (str(further), False),
        ]
        assert network.describe(listener_id).certificate_ids == [str(default)]
        with refused("CertificateInUse", text=listener_id):
            certificates.delete_user_certificate(cas.DeleteUserCertificateRequest(cert_id=further))
        self.disassociate(network, listener_id, str(further))
        assert named_by(network.address, authority, "further.test") == "gateway.test"

    def test_that_cannot_be_are_refused(self, network, upload):
        number, group_id = str(upload(network.address)), network.make_group()
        listener_id = network.listen("TCPSSL", 8443, group_id, certificate_ids=[number])
        with refused("ResourceNotFound.certificate", 404):
            self.associate(network, listener_id, "1")
        with refused("ResourceNotFound.certificate", 404):
            self.disassociate(network, listener_id, number)
        with refused("InvalidParameter", text="TCPSSL"):
            self.associate(network, network.listen("TCP", 8080, group_id), number)
        with refused("ResourceNotFound.listener", 404):
            self.associate(network, "lsn-none", number)


def test_it_offers_protocols_inside_of_tls(network, upload, authority):
    listener_id = network.listen(
        "TCPSSL",
        8443,
        network.make_group(),
        certificate_ids=[str(upload(network.address))],
        alpn_enabled=True,
        alpn_policy="HTTP2Preferred",
    )
    assert network.describe(listener_id).alpn_policy == "HTTP2Preferred"
    tls = authority.trusting()
    tls.set_alpn_protocols(["http/1.1", "h2"])
    connection = http.client.HTTPSConnection(network.address, 8443, context=tls, timeout=5)
    connection.connect()
    assert connection.sock.selected_alpn_protocol() == "h2"
    connection.close()


def test_weights_of_plain_hashing_by_connection(network, servers):
    group_id = network.make_group(scheduler="tch")
    network.listen("TCP", 8080, group_id)

    def server():
        connection = http.client.HTTPConnection(network.address, 8080, timeout=5)
        connection.request("GET", "/")
        address = connection.getresponse().read().decode().split()[0]
        connection.close()
        return address

    # That all of so many come to one server by chance is seen in no lifetime.
    assert {server() for _ in range(50)} == set(servers.addresses.values())
    network.weigh(group_id, HTTP_PORT, 100, 0)
    assert {server() for _ in range(16)} == {servers.addresses[servers.ids[0]]}


def test_mistakes_are_told(network, upload):
    group_id, number = network.make_group(), str(upload(network.address))
    with refused("MissingParameter", text="CertificateIds"):
        network.listen("TCPSSL", 8443, group_id)
    with refused("ResourceNotFound.certificate", 404):
        network.listen("TCPSSL", 8443, group_id, certificate_ids=["1"])
    with refused("MissingParameter", text="AlpnPolicy"):
        network.listen("TCPSSL", 8443, group_id, certificate_ids=[number], alpn_enabled=True)
    with refused("UnsupportedOperation", text="certificates of clients"):
        network.listen("TCPSSL", 8443, group_id, certificate_ids=[number], ca_enabled=True)
    with refused("OperationDenied.ServerGroupProtocolMismatch"):
        network.listen("TCP", 8443, network.make_group(protocol="TCPSSL"))
    with refused("OperationDenied.ServerGroupProtocolMismatch", text="preserves"):
        group_id = network.make_group(preserve_client_ip_enabled=True)
        network.listen("TCPSSL", 8443, group_id, certificate_ids=[number])
