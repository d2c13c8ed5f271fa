"""What comes to application load balancers by TLS: requests, gRPC calls and their checks, certificates by name."""

from __future__ import annotations

import queue
import socket
from collections import Counter

import grpc
import pytest
from alibabacloud_alb20200616 import models
from alibabacloud_cas20200407 import models as cas
from alibabacloud_cas20200407.client import Client as CasClient
from contract_application import GRPC_PORT, HTTP_PORT, ask, forward_to, when
from contract_front import delete_listeners
from contract_sdk import refused, sdk_config, wait_for
from tls_pair import Authority

CHECKED_BY_CALLS = {"health_check_enabled": True, "health_check_protocol": "gRPC"}


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def upload(local_cloud, front, authority):
    """Uploads certificates for the load balancer, which are deleted after the listeners that use them."""
    client, numbers = CasClient(sdk_config(local_cloud)), []

    def upload(name: str) -> str:
        certificate, key = authority.issue(front.address, name=name)
        request = cas.UploadUserCertificateRequest(name=name, cert=certificate, key=key)
        numbers.append(client.upload_user_certificate(request).body.cert_id)
        return f"{numbers[-1]}-cn-hangzhou"

    yield upload
    delete_listeners(front)
    for number in numbers:
        client.delete_user_certificate(cas.DeleteUserCertificateRequest(cert_id=number))


@pytest.fixture
def certificate_id(upload):
    return upload("gateway.test")


class TestHttps:
    def listen(self, front, group_id, certificate_id, **settings) -> str:
        certificates = [models.CreateListenerRequestCertificates(certificate_id=certificate_id)]
        return front.application.listen(
            front.balancer_id,
            group_id,
            8443,
            listener_protocol="HTTPS",
            certificates=certificates,
            **settings,
        )

    def listen_for_calls(self, front, certificate_id) -> str:
        """Listen for gRPC calls for both servers, once their own health services say that they serve."""
        group_id = front.application.group(
            CHECKED_BY_CALLS,
            servers={front.first: 100, front.second: 100},
            port=GRPC_PORT,
            protocol="gRPC",
        )
        listener_id = self.listen(front, group_id, certificate_id)
        front.application.wait_healthy(listener_id)
        return listener_id

    def test_ends_at_the_load_balancer(self, front, authority, certificate_id):
        forwarded = models.CreateListenerRequestXForwardedForConfig(xforwarded_for_proto_enabled=True)
        group_id = front.application.group(servers={front.first: 100})
        listener_id = self.listen(front, group_id, certificate_id, xforwarded_for_config=forwarded)
        seen = ask(front.address, 8443, tls=authority.trusting()).seen
        assert seen["headers"]["x-forwarded-proto"] == "https"
        found = front.application.describe_listener(listener_id)
        assert [one.certificate_id for one in found.certificates] == [certificate_id]
        assert found.security_policy_id == "tls_cipher_policy_1_0"
        listed = front.application.client.list_listener_certificates(
            models.ListListenerCertificatesRequest(listener_id=listener_id)
        ).body.certificates
        assert [(one.certificate_id, one.is_default) for one in listed] == [(certificate_id, True)]
        back = {"Type": "Redirect", "Order": 1, "RedirectConfig": {"Protocol": "HTTP", "HttpCode": "301"}}
        with refused("InvalidParameter", text="HTTPS at a listener of HTTPS"):
            front.application.rule(listener_id, 1, [when("Path", "/a")], [back])

    def test_carries_grpc_to_servers_that_its_own_health_service_finds(
        self, front, authority, certificate_id
    ):
        self.listen_for_calls(front, certificate_id)
        trust = grpc.ssl_channel_credentials(authority.pem.encode())
        with grpc.secure_channel(f"{front.address}:8443", trust) as channel:
            call = channel.unary_stream("/test.Names/Name")
            answers = [word.split() for _ in range(10) for word in call(b"a b", timeout=5)]
        assert [word for _, word in answers] == [b"a", b"b"] * 10
        served = Counter(address.decode() for address, _ in answers)
        assert served == dict.fromkeys(front.addresses.values(), 10)

    def test_carries_streams_both_ways_and_the_status_of_calls_that_fail(
        self, front, authority, certificate_id
    ):
        group_id = front.application.group(servers={front.first: 100}, port=GRPC_PORT, protocol="gRPC")
        self.listen(front, group_id, certificate_id)
        trust = grpc.ssl_channel_credentials(authority.pem.encode())
        with grpc.secure_channel(f"{front.address}:8443", trust) as channel:
            words = queue.SimpleQueue()
            answers = channel.stream_stream("/test.Names/Echo")(iter(words.get, None), timeout=5)
            for word in (b"a", b"b", b"c" * 100_000):
                words.put(word)  # Each is sent when the answer to the one before has come.
                assert next(answers).partition(b" ")[2] == word
            words.put(None)
            assert list(answers) == []
            with pytest.raises(grpc.RpcError) as caught:
                channel.unary_unary("/test.Names/Fail")(b"x", timeout=5)
        error = caught.value
        assert (error.code(), error.details()) == (grpc.StatusCode.FAILED_PRECONDITION, "not today")

    def test_sends_calls_to_grpc_servers_that_say_that_they_serve(self, front, authority, certificate_id):
        listener_id = self.listen_for_calls(front, certificate_id)
        trust = grpc.ssl_channel_credentials(authority.pem.encode())

        def say(status: int) -> None:
            """Let the second server's health service answer with a status of `ServingStatus`."""
            ask(front.addresses[front.second], HTTP_PORT, f"/health/{status}", "PUT")

        try:
            say(2)  # NOT_SERVING
            unhealthy = wait_for(lambda: front.application.unhealthy(listener_id), bool)
            assert [one.status for one in unhealthy.values()] == ["Unhealthy"]
            with grpc.secure_channel(f"{front.address}:8443", trust) as channel:
                call = channel.unary_stream("/test.Names/Name")
                served = {next(call(b"a", timeout=5)).split()[0].decode() for _ in range(6)}
            assert served == {front.addresses[front.first]}
        finally:
            say(1)
        front.application.wait_healthy(listener_id)

    def test_finds_grpc_servers_healthy_by_the_codes_that_a_check_names(self, front, certificate_id):
        change = models.UpdateServerGroupAttributeRequestHealthCheckConfig
        group_id = front.application.group(
            # FAILED_PRECONDITION, which is 9, is what this method answers with.
            {
                **CHECKED_BY_CALLS,
                "health_check_codes": ["0-8", "10-99"],
                "health_check_path": "/test.Names/Fail",
            },
            servers={front.first: 100},
            port=GRPC_PORT,
            protocol="gRPC",
        )
        listener_id = self.listen(front, group_id, certificate_id)
        reasons = wait_for(
            lambda: [one.reason.reason_code for one in front.application.unhealthy(listener_id).values()],
            lambda codes: codes == ["RESPONSE_MISMATCH"],
        )
        assert reasons
        for healthy in ({"health_check_codes": ["9"]}, {"health_check_codes": ["8-9", "12"]}):
            front.application.change_group(group_id, health_check_config=change(**healthy))
            front.application.wait_healthy(listener_id)
        # A method that is not there is UNIMPLEMENTED, which is 12.
        front.application.change_group(
            group_id, health_check_config=change(health_check_path="/test.Names/No")
        )
        front.application.wait_healthy(listener_id)

    def test_carries_grpc_by_a_rule_beside_plain_requests(self, front, authority, certificate_id):
        plain = front.application.group(servers={front.first: 100})
        calls = front.application.group(servers={front.second: 100}, port=GRPC_PORT, protocol="gRPC")
        listener_id = self.listen(front, plain, certificate_id)
        front.application.rule(listener_id, 1, [when("Path", "/test.Names/*")], [forward_to(calls)])
        assert (
            ask(front.address, 8443, tls=authority.trusting()).seen["server"] == front.addresses[front.first]
        )
        trust = grpc.ssl_channel_credentials(authority.pem.encode())
        with grpc.secure_channel(f"{front.address}:8443", trust) as channel:
            answers = list(channel.unary_stream("/test.Names/Name")(b"a", timeout=5))
        assert answers == [f"{front.addresses[front.second]} a".encode()]

    def test_answers_with_the_certificate_for_the_name_that_is_asked_for(
        self, front, authority, upload, certificate_id
    ):
        further, other = upload("further.test"), upload("other.test")
        listener_id = self.listen(front, front.application.group(), certificate_id)
        client = front.application.client

        def change(request_class, call, one):
            request = request_class().from_map(
                {"ListenerId": listener_id, "Certificates": [{"CertificateId": one}]}
            )
            front.application.wait_job(call(request).body.job_id)

        def answered(name: str) -> str:
            tls = authority.trusting()
            with socket.create_connection((front.address, 8443), timeout=5) as plain:
                tls.check_hostname = False
                with tls.wrap_socket(plain, server_hostname=name) as secure:
                    return dict(secure.getpeercert()["subject"][0])["commonName"]

        associate = models.AssociateAdditionalCertificatesWithListenerRequest
        change(associate, client.associate_additional_certificates_with_listener, further)
        assert [answered(name) for name in ("further.test", "unknown.test")] == [
            "further.test",
            "gateway.test",
        ]
        change(models.UpdateListenerAttributeRequest, client.update_listener_attribute, other)
        assert [answered(name) for name in ("further.test", "unknown.test")] == ["further.test", "other.test"]
        dissociate = models.DissociateAdditionalCertificatesFromListenerRequest
        change(dissociate, client.dissociate_additional_certificates_from_listener, further)
        assert answered("further.test") == "other.test"

    def test_finds_grpc_servers_that_do_not_serve(self, front, certificate_id):
        group_id = front.application.group(
            CHECKED_BY_CALLS,
            servers={front.first: 100},
            port=HTTP_PORT,
            protocol="gRPC",
        )
        listener_id = self.listen(front, group_id, certificate_id)
        wait_for(
            lambda: [one.status for one in front.application.unhealthy(listener_id).values()],
            lambda statuses: statuses == ["Unhealthy"],
        )
