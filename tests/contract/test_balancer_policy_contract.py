"""TLS policies of network and application load balancers: the versions and ciphers that clients really get."""

from __future__ import annotations

import socket
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import pytest
from alibabacloud_alb20200616 import models as alb
from alibabacloud_alb20200616.client import Client as AlbClient
from alibabacloud_cas20200407 import models as cas
from alibabacloud_cas20200407.client import Client as CasClient
from alibabacloud_nlb20220430 import models as nlb
from contract_application import Application
from contract_fleet import REGION
from contract_network import NetworkBalancer
from contract_sdk import refused, sdk_config, wait_for
from contract_tls import CBC, GCM, OLD, PORT, V1, V11, V12, V13, agreed, versions_taken
from tls_pair import Authority


@dataclass(frozen=True, kw_only=True)
class Policies:
    """The policies of either product, and a load balancer of it.

    Attributes:
        create: Creates one and gives its id; `update` changes it, `delete` deletes it.
        listed: Gives those of some ids as (name, versions, ciphers, status).
        system: Gives the system's in the same form, by their ids, without name and status.
        users: Gives the listeners that use one.
        listen: Lets the load balancer listen with TLS under a policy, and gives the listener's id.
        drop: Deletes that listener.
        address: Gives the load balancer's address.
    """

    create: Callable[..., str]
    update: Callable[..., None]
    delete: Callable[[str], None]
    listed: Callable[[str], list[tuple[str, list[str], list[str], str]]]
    system: Callable[[], dict[str, tuple[list[str], list[str]]]]
    users: Callable[[str], list[str]]
    listen: Callable[..., str]
    drop: Callable[[str], None]
    address: Callable[[], str]


@pytest.fixture(scope="module")
def authority():
    return Authority()


@pytest.fixture
def upload(local_cloud, authority):
    client, numbers = CasClient(sdk_config(local_cloud)), []

    def upload(address: str) -> str:
        certificate, key = authority.issue(address)
        request = cas.UploadUserCertificateRequest(name=f"policy-{address}", cert=certificate, key=key)
        numbers.append(client.upload_user_certificate(request).body.cert_id)
        return f"{numbers[-1]}-cn-hangzhou"

    yield upload
    for number in numbers:
        client.delete_user_certificate(cas.DeleteUserCertificateRequest(cert_id=number))


@pytest.fixture
def network_policies(nlb_client, servers, upload):
    made: list[str] = []
    network = NetworkBalancer(nlb_client, servers)
    certificate_id = upload(network.address)

    def create(versions, ciphers, **settings) -> str:
        request = nlb.CreateSecurityPolicyRequest(
            **{"security_policy_name": "own", "region_id": REGION, **settings},
            tls_versions=versions,
            ciphers=ciphers,
        )
        made.append(nlb_client.create_security_policy(request).body.security_policy_id)
        return made[-1]

    def update(policy_id: str, versions=None, ciphers=None, **settings) -> None:
        nlb_client.update_security_policy_attribute(
            nlb.UpdateSecurityPolicyAttributeRequest(
                region_id=REGION,
                security_policy_id=policy_id,
                tls_versions=versions,
                ciphers=ciphers,
                **settings,
            )
        )

    def delete(policy_id: str) -> None:
        request = nlb.DeleteSecurityPolicyRequest(region_id=REGION, security_policy_id=policy_id)
        nlb_client.delete_security_policy(request)

    def found(policy_id: str) -> list[Any]:
        request = nlb.ListSecurityPolicyRequest(region_id=REGION, security_policy_ids=[policy_id])
        return nlb_client.list_security_policy(request).body.security_policies

    def listed(policy_id: str) -> list[tuple[str, list[str], list[str], str]]:
        return [
            (
                one.security_policy_name,
                one.tls_version.split(","),
                one.ciphers.split(","),
                one.security_policy_status,
            )
            for one in found(policy_id)
        ]

    def system() -> dict[str, tuple[list[str], list[str]]]:
        request = nlb.ListSystemSecurityPolicyRequest(region_id=REGION)
        listed = nlb_client.list_system_security_policy(request).body.security_policies
        return {
            one.security_policy_id: (one.tls_version.split(","), one.ciphers.split(",")) for one in listed
        }

    yield Policies(
        create=create,
        update=update,
        delete=delete,
        listed=listed,
        system=system,
        users=lambda policy_id: [
            one.listener_id for policy in found(policy_id) for one in policy.related_listeners
        ],
        listen=lambda policy_id: network.listen(
            "TCPSSL",
            PORT,
            network.make_group(),
            certificate_ids=[certificate_id],
            security_policy_id=policy_id,
        ),
        drop=lambda listener_id: nlb_client.delete_listener(
            nlb.DeleteListenerRequest(region_id=REGION, listener_id=listener_id)
        ),
        address=lambda: network.address,
    )
    network.delete()
    for policy_id in made:
        if found(policy_id):
            delete(policy_id)


@pytest.fixture
def application_policies(local_cloud, servers, upload):
    made: list[str] = []
    client = AlbClient(sdk_config(local_cloud))
    application = Application(client, servers.fleet.vpc_id, list(servers.vswitch_ids))
    balancer_id = application.balance()
    certificate_id = upload(application.address(balancer_id))

    def wait_available(policy_id: str) -> None:
        wait_for(lambda: found(policy_id)[0].security_policy_status, lambda status: status == "Available")

    def create(versions, ciphers, **settings) -> str:
        request = alb.CreateSecurityPolicyRequest(
            **{"security_policy_name": "own", **settings}, tlsversions=versions, ciphers=ciphers
        )
        made.append(client.create_security_policy(request).body.security_policy_id)
        wait_available(made[-1])
        return made[-1]

    def update(policy_id: str, versions=None, ciphers=None, **settings) -> None:
        request = alb.UpdateSecurityPolicyAttributeRequest(
            security_policy_id=policy_id, tlsversions=versions, ciphers=ciphers, **settings
        )
        application.wait_job(client.update_security_policy_attribute(request).body.job_id)

    def delete(policy_id: str) -> None:
        client.delete_security_policy(alb.DeleteSecurityPolicyRequest(security_policy_id=policy_id))

    def found(policy_id: str) -> list[Any]:
        request = alb.ListSecurityPoliciesRequest(security_policy_ids=[policy_id])
        return client.list_security_policies(request).body.security_policies

    def listed(policy_id: str) -> list[tuple[str, list[str], list[str], str]]:
        return [
            (one.security_policy_name, one.tlsversions, one.ciphers, one.security_policy_status)
            for one in found(policy_id)
        ]

    def users(policy_id: str) -> list[str]:
        request = alb.ListSecurityPolicyRelationsRequest(security_policy_ids=[policy_id])
        relations = client.list_security_policy_relations(request).body.secrity_policy_relations
        return [one.listener_id for relation in relations for one in relation.related_listeners]

    def drop(listener_id: str) -> None:
        client.delete_listener(alb.DeleteListenerRequest(listener_id=listener_id))

    yield Policies(
        create=create,
        update=update,
        delete=delete,
        listed=listed,
        system=lambda: {
            one.security_policy_id: (one.tlsversions, one.ciphers)
            for one in client.list_system_security_policies().body.security_policies
        },
        users=users,
        listen=lambda policy_id: application.listen(
            balancer_id,
            application.group(),
            PORT,
            listener_protocol="HTTPS",
            certificates=[alb.CreateListenerRequestCertificates(certificate_id=certificate_id)],
            security_policy_id=policy_id,
        ),
        drop=drop,
        address=lambda: application.address(balancer_id),
    )
    application.clear()
    for policy_id in made:
        if found(policy_id):
            delete(policy_id)


@pytest.fixture(params=["network", "application"])
def policies(request):
    return request.getfixturevalue(f"{request.param}_policies")


def test_say_which_versions_and_ciphers_a_listener_takes(policies, authority):
    policy_id = policies.create(["TLSv1.1", "TLSv1.2"], [CBC, GCM, OLD])
    assert policies.listed(policy_id) == [("own", ["TLSv1.1", "TLSv1.2"], [CBC, GCM, OLD], "Available")]
    assert policies.users(policy_id) == []
    listener_id = policies.listen(policy_id)
    assert policies.users(policy_id) == [listener_id]
    assert versions_taken(policies.address(), authority) == [V11, V12]
    assert agreed(policies.address(), authority, V11) == OLD
    assert [agreed(policies.address(), authority, V12, one) for one in (CBC, GCM, OLD)] == [CBC, GCM, OLD]
    assert agreed(policies.address(), authority, V12, "ECDHE-ECDSA-AES256-GCM-SHA384") == ""


def test_that_change_are_in_force_at_once_and_touch_no_open_connection(policies, authority):
    policy_id = policies.create(["TLSv1.2"], [GCM])
    policies.listen(policy_id)
    context = authority.trusting()
    with (
        socket.create_connection((policies.address(), PORT), timeout=5) as plain,
        context.wrap_socket(plain, server_hostname=policies.address()) as held,
    ):
        policies.update(policy_id, versions=["TLSv1.3"], ciphers=["TLS_AES_256_GCM_SHA384"])
        assert versions_taken(policies.address(), authority) == [V13]
        assert agreed(policies.address(), authority, V13) == "TLS_AES_256_GCM_SHA384"
        held.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert held.recv(100).startswith(b"HTTP/1.")
    policies.update(policy_id, security_policy_name="renamed")
    name, versions, ciphers, _ = policies.listed(policy_id)[0]
    assert (name, versions, ciphers) == ("renamed", ["TLSv1.3"], ["TLS_AES_256_GCM_SHA384"])


def test_of_the_system_are_what_they_are_called(policies, authority):
    known = policies.system()
    assert known["tls_cipher_policy_1_2_strict_with_1_3"][0] == ["TLSv1.2", "TLSv1.3"]
    expected = {
        "tls_cipher_policy_1_0": [V1, V11, V12],
        "tls_cipher_policy_1_1": [V11, V12],
        "tls_cipher_policy_1_2": [V12],
        "tls_cipher_policy_1_2_strict": [V12],
        "tls_cipher_policy_1_2_strict_with_1_3": [V12, V13],
    }
    assert set(known) == set(expected)
    for policy_id, versions in expected.items():
        listener_id = policies.listen(policy_id)
        assert versions_taken(policies.address(), authority) == versions
        assert agreed(policies.address(), authority, V12, "ECDHE-ECDSA-CHACHA20-POLY1305") == ""
        policies.drop(listener_id)


def test_are_deleted_once_no_listener_uses_them(policies):
    policy_id = policies.create(["TLSv1.2"], [GCM])
    listener_id = policies.listen(policy_id)
    with refused("ResourceInUse.SecurityPolicy"):
        policies.delete(policy_id)
    policies.drop(listener_id)
    policies.delete(policy_id)
    assert policies.listed(policy_id) == []


def test_that_cannot_be_are_refused_by_name(policies):
    for versions, ciphers, code, text in (
        (["SSLv3"], [GCM], "InvalidParameter", "TLSv1.0"),
        (["TLSv1.2"], ["RC4-MD5"], "InvalidParameter", "RC4-MD5"),
        (["TLSv1.1"], [GCM], "InvalidParameter", GCM),
        (["TLSv1.2"], [GCM, "TLS_AES_256_GCM_SHA384"], "InvalidParameter", "TLS_AES_256_GCM_SHA384"),
        (["TLSv1.2"], ["DES-CBC3-SHA"], "UnsupportedOperation", "DES-CBC3-SHA"),
        (["TLSv1.2", "TLSv1.3"], [GCM], "UnsupportedOperation", "a cipher of TLSv1.3"),
        (["TLSv1.1", "TLSv1.3"], [OLD, "TLS_AES_256_GCM_SHA384"], "UnsupportedOperation", "gap"),
    ):
        with refused(code, text=text):
            policies.create(versions, ciphers)
    with refused("InvalidParameter", text="SecurityPolicyName"):
        policies.create(["TLSv1.2"], [GCM], security_policy_name="a/b")


def test_that_are_not_there_are_not_found(network_policies, application_policies):
    for policies, code in (
        (network_policies, "ResourceNotFound.securityPolicy"),
        (application_policies, "ResourceNotFound.SecurityPolicy"),
    ):
        for call in (policies.delete, policies.update, policies.listen):
            with refused(code, 404):
                call("tls-none")
    with refused("ResourceNotFound.SecurityPolicy", 404):
        application_policies.users("tls-none")
