"""Classic load balancers: certificates, HTTPS, access control lists and sticky sessions, with real traffic."""

from __future__ import annotations

import json
import socket
import ssl

import pytest
from alibabacloud_cas20200407 import models as cas
from alibabacloud_cas20200407.client import Client as CasClient
from alibabacloud_slb20140515 import models
from contract_balancer import ClassicBalancer
from contract_fleet import REGION
from contract_sdk import refused, sdk_config
from cryptography.hazmat.primitives.asymmetric import ec
from tls_pair import Authority, key_text


@pytest.fixture
def balancer(servers, upload):
    """A load balancer, which is gone before the certificates that its listeners use are cleared away."""
    balancer = ClassicBalancer(servers)
    balancer.add_servers()
    yield balancer
    balancer.delete()


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def upload(slb_client):
    """Upload server certificates, and delete those that the test has left."""
    made = []

    def upload(certificate, key, **settings):
        request = models.UploadServerCertificateRequest(
            region_id=REGION, server_certificate=certificate, private_key=key, **settings
        )
        made.append(slb_client.upload_server_certificate(request).body.server_certificate_id)
        return made[-1]

    yield upload
    for certificate_id in made:
        if described(slb_client, certificate_id):
            delete(slb_client, certificate_id)


def described(client, certificate_id):
    request = models.DescribeServerCertificatesRequest(region_id=REGION, server_certificate_id=certificate_id)
    return client.describe_server_certificates(request).body.server_certificates.server_certificate


def delete(client, certificate_id):
    client.delete_server_certificate(
        models.DeleteServerCertificateRequest(region_id=REGION, server_certificate_id=certificate_id)
    )


class TestServerCertificates:
    def test_one_is_described_without_its_key_renamed_and_deleted(self, slb_client, authority, upload):
        certificate_id = upload(*authority.issue("127.0.0.1"), server_certificate_name="gateway")
        (found,) = described(slb_client, certificate_id)
        assert (found.server_certificate_name, found.common_name) == ("gateway", "gateway.test")
        assert found.subject_alternative_names.subject_alternative_name == ["gateway.test", "127.0.0.1"]
        assert (found.is_ali_cloud_certificate, found.region_id) == (0, REGION)
        assert "PRIVATE" not in json.dumps(found.to_map())
        slb_client.set_server_certificate_name(
            models.SetServerCertificateNameRequest(
                region_id=REGION, server_certificate_id=certificate_id, server_certificate_name="front"
            )
        )
        assert described(slb_client, certificate_id)[0].server_certificate_name == "front"
        delete(slb_client, certificate_id)
        assert described(slb_client, certificate_id) == []
        with refused("ServerCertificateId.NotFound", 404):
            delete(slb_client, certificate_id)

    def test_one_with_another_ones_key_is_refused(self, authority, upload):
        certificate, _ = authority.issue()
        key = ec.generate_private_key(ec.SECP256R1())
        with refused("CertificateNotMatchPrivateKey"):
            upload(certificate, key_text(key))
        with refused("KeyFormatError", text="passphrase"):
            upload(certificate, key_text(key, b"secret"))
        with refused("MissingParameter", text="PrivateKey"):
            upload(certificate, None)

    def test_one_is_taken_from_the_certificate_service(self, local_cloud, slb_client, authority, upload):
        client = CasClient(sdk_config(local_cloud))
        certificate, key = authority.issue()
        number = client.upload_user_certificate(
            cas.UploadUserCertificateRequest(name="of-the-service", cert=certificate, key=key)
        ).body.cert_id
        certificate_id = upload(
            None, None, ali_cloud_certificate_id=str(number), ali_cloud_certificate_region_id="cn-hangzhou"
        )
        client.delete_user_certificate(cas.DeleteUserCertificateRequest(cert_id=number))
        (found,) = described(slb_client, certificate_id)
        assert (found.is_ali_cloud_certificate, found.ali_cloud_certificate_id) == (1, str(number))
        with refused("InvalidParameter", text="AliCloudCertificateId"):
            upload(None, None, ali_cloud_certificate_id="1")


class TestHttps:
    def test_ends_tls_tells_the_server_so_and_keeps_its_certificate(
        self, balancer, authority, upload, slb_client
    ):
        certificate_id = upload(*authority.issue(balancer.address))
        balancer.listen("https", 8443, server_certificate_id=certificate_id, xforwarded_for_proto="on")
        status, _, body = balancer.get(8443, "/name", authority.trusting())
        assert (status, body.split()[1:]) == (200, ["/name", "https"])
        listener = balancer.describe("https", 8443)
        assert (listener.server_certificate_id, listener.status) == (certificate_id, "running")
        assert (listener.enable_http_2, listener.tlscipher_policy) == ("on", "tls_cipher_policy_1_0")
        with pytest.raises(ssl.SSLCertVerificationError):
            balancer.get(8443, "/", Authority("Somebody else").trusting())
        with refused("CertificateAndPrivateKeyIsRefered"):
            delete(slb_client, certificate_id)

    def test_another_certificate_takes_over_and_no_open_connection_ends(self, balancer, authority, upload):
        first, second = (upload(*authority.issue(balancer.address, name=f"{n}.test")) for n in "ab")
        balancer.listen("https", 8443, server_certificate_id=first)
        open_one = balancer.connection(8443, authority.trusting())
        open_one.connect()
        balancer.change("https", 8443, server_certificate_id=second, sticky_session="off")
        open_one.request("GET", "/name")
        assert open_one.getresponse().status == 200
        open_one.close()
        new_one = balancer.connection(8443, authority.trusting())
        new_one.connect()
        assert dict(new_one.sock.getpeercert()["subject"][0])["commonName"] == "b.test"
        new_one.close()

    def test_a_policy_bounds_the_versions(self, balancer, authority, upload):
        balancer.listen(
            "https",
            8443,
            server_certificate_id=upload(*authority.issue(balancer.address)),
            tlscipher_policy="tls_cipher_policy_1_2_strict",
        )
        assert negotiated(balancer, authority) == "TLSv1.2"
        balancer.change(
            "https", 8443, tlscipher_policy="tls_cipher_policy_1_2_strict_with_1_3", sticky_session="off"
        )
        assert negotiated(balancer, authority) == "TLSv1.3"

    def test_clients_show_a_certificate_where_an_authority_is_named(
        self, balancer, authority, upload, slb_client, tmp_path
    ):
        clients = Authority("Clients")
        ca = slb_client.upload_cacertificate(
            models.UploadCACertificateRequest(region_id=REGION, cacertificate=clients.pem)
        ).body
        assert ca.common_name == "Clients"
        balancer.listen(
            "https",
            8443,
            server_certificate_id=upload(*authority.issue(balancer.address)),
            cacertificate_id=ca.cacertificate_id,
        )
        own = tmp_path / "client.pem"
        own.write_text("".join(clients.issue(name="client.test")))
        known = authority.trusting()
        known.load_cert_chain(own)
        assert balancer.get(8443, "/name", known)[0] == 200
        with pytest.raises((ssl.SSLError, ConnectionError)):
            balancer.get(8443, "/name", authority.trusting())
        gone = models.DeleteCACertificateRequest(region_id=REGION, cacertificate_id=ca.cacertificate_id)
        with refused("CertificateAndPrivateKeyIsRefered"):
            slb_client.delete_cacertificate(gone)
        slb_client.delete_load_balancer_listener(
            models.DeleteLoadBalancerListenerRequest(load_balancer_id=balancer.id, listener_port=8443)
        )
        slb_client.delete_cacertificate(gone)
        with refused("CACertificateId.NotFound", 404):
            slb_client.delete_cacertificate(gone)

    def test_a_certificate_has_to_be_there(self, balancer):
        with refused("MissingParameter", text="ServerCertificateId"):
            balancer.listen("https", 8443)
        with refused("ServerCertificateId.NotFound", 404):
            balancer.listen("https", 8443, server_certificate_id="none")


def negotiated(balancer, authority) -> str:
    plain = socket.create_connection((balancer.address, 8443), timeout=5)
    with authority.trusting().wrap_socket(plain, server_hostname=balancer.address) as wrapped:
        return wrapped.version()


class TestAccessControlLists:
    @pytest.fixture
    def make_list(self, slb_client):
        made = []

        def make(*cidrs):
            acl_id = slb_client.create_access_control_list(
                models.CreateAccessControlListRequest(region_id=REGION, acl_name="clients")
            ).body.acl_id
            made.append(acl_id)
            if cidrs:
                self.add(slb_client, acl_id, *cidrs)
            return acl_id

        yield make
        for acl_id in made:
            for listener in self.describe(slb_client, acl_id).related_listeners.related_listener:
                slb_client.delete_load_balancer_listener(
                    models.DeleteLoadBalancerListenerRequest(
                        load_balancer_id=listener.load_balancer_id, listener_port=listener.listener_port
                    )
                )
            slb_client.delete_access_control_list(
                models.DeleteAccessControlListRequest(region_id=REGION, acl_id=acl_id)
            )

    @staticmethod
    def add(client, acl_id, *cidrs):
        entries = [{"entry": cidr, "comment": f"of {cidr}"} for cidr in cidrs]
        client.add_access_control_list_entry(
            models.AddAccessControlListEntryRequest(
                region_id=REGION, acl_id=acl_id, acl_entrys=json.dumps([None, *entries])
            )
        )

    @staticmethod
    def remove(client, acl_id, *cidrs):
        client.remove_access_control_list_entry(
            models.RemoveAccessControlListEntryRequest(
                region_id=REGION, acl_id=acl_id, acl_entrys=json.dumps([{"entry": cidr} for cidr in cidrs])
            )
        )

    @staticmethod
    def describe(client, acl_id):
        return client.describe_access_control_list_attribute(
            models.DescribeAccessControlListAttributeRequest(region_id=REGION, acl_id=acl_id)
        ).body

    def test_a_white_one_lets_its_clients_in_alone(self, balancer, make_list, slb_client):
        acl_id = make_list("127.0.0.2/32")
        balancer.listen("http", 8080, acl_status="on", acl_type="white", acl_id=acl_id)
        assert (balancer.lets_in(8080), balancer.lets_in(8080, "127.0.0.2")) == (False, True)
        self.add(slb_client, acl_id, "127.0.0.1")
        assert balancer.lets_in(8080)
        self.remove(slb_client, acl_id, "127.0.0.1")
        assert not balancer.lets_in(8080)
        listener = balancer.describe("http", 8080)
        assert (listener.acl_status, listener.acl_type, listener.acl_ids.acl_id) == ("on", "white", [acl_id])
        balancer.change("http", 8080, acl_status="off", sticky_session="off")
        assert balancer.lets_in(8080)

    def test_a_black_one_keeps_its_clients_out_alone(self, balancer, make_list):
        balancer.listen("tcp", 8080, acl_status="on", acl_type="black", acl_id=make_list("127.0.0.2/31"))
        assert (balancer.lets_in(8080), balancer.lets_in(8080, "127.0.0.3")) == (True, False)

    def test_an_empty_one_keeps_nobody_out(self, balancer, make_list):
        balancer.listen("http", 8080, acl_status="on", acl_type="white", acl_id=make_list())
        assert balancer.lets_in(8080)

    def test_an_open_connection_outlives_a_change(self, balancer, make_list, slb_client):
        acl_id = make_list("127.0.0.0/8")
        balancer.listen("tcp", 8080, acl_status="on", acl_type="white", acl_id=acl_id)
        open_one = balancer.connection(8080)
        open_one.connect()
        self.add(slb_client, acl_id, "127.9.9.9/32")
        self.remove(slb_client, acl_id, "127.0.0.0/8")
        open_one.request("GET", "/name")
        assert open_one.getresponse().status == 200
        open_one.close()
        assert not balancer.lets_in(8080)

    def test_entries_are_listed_with_the_listeners_and_a_used_one_stays(
        self, balancer, make_list, slb_client
    ):
        acl_id = make_list("10.0.0.0/8", "192.168.1.1")
        balancer.listen("http", 8080, acl_status="on", acl_type="white", acl_id=acl_id)
        found = self.describe(slb_client, acl_id)
        assert [(e.acl_entry_ip, e.acl_entry_comment) for e in found.acl_entrys.acl_entry] == [
            ("10.0.0.0/8", "of 10.0.0.0/8"),
            ("192.168.1.1", "of 192.168.1.1"),
        ]
        (user,) = found.related_listeners.related_listener
        assert (user.load_balancer_id, user.listener_port, user.protocol) == (balancer.id, 8080, "http")
        with refused("AclUsedByVip"):
            slb_client.delete_access_control_list(
                models.DeleteAccessControlListRequest(region_id=REGION, acl_id=acl_id)
            )
        listed = slb_client.describe_access_control_lists(
            models.DescribeAccessControlListsRequest(region_id=REGION, acl_name="client")
        ).body.acls.acl
        assert acl_id in {item.acl_id for item in listed}
        slb_client.set_access_control_list_attribute(
            models.SetAccessControlListAttributeRequest(region_id=REGION, acl_id=acl_id, acl_name="renamed")
        )
        assert self.describe(slb_client, acl_id).acl_name == "renamed"

    def test_mistakes_have_the_clouds_codes(self, balancer, make_list, slb_client):
        acl_id = make_list("10.0.0.0/8")
        with refused("AclEntryEmpty"):
            self.remove(slb_client, acl_id, "10.1.0.0/16")
        with refused("InvalidParameter", text="IPv4 address or range"):
            self.add(slb_client, acl_id, "10.0.0.1/8")
        with refused("AclNotExist"):
            self.add(slb_client, "acl-none", "10.0.0.0/8")
        with refused("AclNotExist"):
            balancer.listen("http", 8080, acl_status="on", acl_type="white", acl_id="acl-none")
        with refused("MissingParameter", text="AclType"):
            balancer.listen("http", 8080, acl_status="on", acl_id=acl_id)
        with refused("UnsupportedOperation", text="IPv6"):
            slb_client.create_access_control_list(
                models.CreateAccessControlListRequest(
                    region_id=REGION, acl_name="v6", address_ipversion="ipv6"
                )
            )


class TestStickySessions:
    def test_an_inserted_cookie_brings_a_client_back(self, balancer):
        balancer.listen("http", 8080, sticky_session="on", sticky_session_type="insert", cookie_timeout=600)
        assert len({balancer.get(8080, "/name")[2] for _ in range(4)}) == 2
        _, headers, name = balancer.get(8080, "/name")
        cookie = headers["set-cookie"].split(";")[0]
        assert {balancer.get(8080, "/name", headers={"Cookie": cookie})[2] for _ in range(4)} == {name}
        balancer.change("http", 8080, sticky_session="off")
        assert len({balancer.get(8080, "/name", headers={"Cookie": cookie})[2] for _ in range(4)}) == 2

    @pytest.mark.parametrize("protocol", ["http", "tcp"])
    def test_a_server_of_weight_0_gets_not_even_its_own_clients_back(self, balancer, servers, protocol):
        """With a weight of 0 no request is forwarded to a server (the SDK's words on `Weight`)."""
        sticky = {"sticky_session": "on", "sticky_session_type": "insert", "cookie_timeout": 600}
        balancer.listen(protocol, 8080, **(sticky if protocol == "http" else {"persistence_timeout": 60}))
        _, headers, name = balancer.get(8080, "/name")
        given = {"Cookie": headers.get("set-cookie", "").split(";")[0]}
        assert {balancer.get(8080, "/name", headers=given)[2] for _ in range(4)} == {name}

        balancer.add_servers(weights=tuple(100 * (one not in name) for one in servers.addresses.values()))

        others = {balancer.get(8080, "/name", headers=given)[2] for _ in range(4)}
        assert len(others) == 1
        assert name not in others

    def test_a_tcp_client_stays_on_its_server_for_a_time(self, balancer):
        balancer.listen("tcp", 8080, persistence_timeout=60)
        assert len({balancer.get(8080, "/name")[2] for _ in range(4)}) == 1
        others = {balancer.get(8080, "/name", source=f"127.0.0.{n}")[2] for n in range(2, 6)}
        assert len(others) == 2

    @pytest.mark.parametrize(("scheduler", "num_seen"), [("sch", 1), ("tch", 2)])
    def test_hashing_is_by_client_or_by_connection(self, balancer, scheduler, num_seen):
        balancer.listen("tcp", 8080, scheduler=scheduler)
        # That all of so many come to one server by chance is seen in no lifetime.
        assert len({balancer.get(8080, "/name")[2] for _ in range(50)}) == num_seen
