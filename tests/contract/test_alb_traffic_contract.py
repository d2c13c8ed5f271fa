"""What application load balancers do with requests: rules, weights, stickiness, draining, TLS, gRPC, access lists."""

from __future__ import annotations

import http.client
import json
import queue
import socket
import threading
import time
from collections import Counter
from dataclasses import dataclass

import grpc
import psutil
import pytest
from alibabacloud_alb20200616 import models
from alibabacloud_alb20200616.client import Client
from alibabacloud_cas20200407 import models as cas
from alibabacloud_cas20200407.client import Client as CasClient
from contract_application import (
    GRPC_PORT,
    HTTP_PORT,
    SCRIPT,
    Application,
    ask,
    forward_to,
    when,
)
from contract_sdk import refused, sdk_config, wait_for
from tls_pair import Authority

CHECKED = {"health_check_enabled": True, "health_check_path": "/healthz"}
CHECKED_BY_CALLS = {"health_check_enabled": True, "health_check_protocol": "gRPC"}


@dataclass(frozen=True, kw_only=True)
class Front:
    """A load balancer that stands for the whole module, and two servers.

    Attributes:
        first: Id of the first server; `addresses` has its address.
        second: Id of the second.
    """

    application: Application
    balancer_id: str
    address: str
    first: str
    second: str
    addresses: dict[str, str]


@pytest.fixture(scope="module")
def standing(local_cloud, servers):
    fleet = servers.fleet
    first, second = fleet.run(SCRIPT, amount=2)
    application = Application(Client(sdk_config(local_cloud)), fleet.vpc_id, list(servers.vswitch_ids))
    balancer_id = application.balance()
    yield Front(
        application=application,
        balancer_id=balancer_id,
        address=application.address(balancer_id),
        first=first,
        second=second,
        addresses={one: fleet.address(one) for one in (first, second)},
    )
    application.clear()
    for one in (first, second):
        fleet.delete(one)
        fleet.wait_status(one, "gone")


@pytest.fixture
def front(standing):
    """The load balancer without listeners, so that each test has every port; server groups go at the end."""
    for address in standing.addresses.values():
        wait_for(lambda address=address: _answers(address), bool)
    yield standing
    delete_listeners(standing)


def delete_listeners(front: Front) -> None:
    client = front.application.client
    request = models.ListListenersRequest(load_balancer_ids=[front.balancer_id])
    for listener in client.list_listeners(request).body.listeners:
        front.application.wait_running(listener.listener_id)
        client.delete_listener(models.DeleteListenerRequest(listener_id=listener.listener_id))


def _answers(address: str) -> bool:
    try:
        return ask(address, HTTP_PORT).status == 200
    except OSError:
        return False


def groups_of_one(front: Front, **settings) -> tuple[str, str]:
    """Make a server group of each of the two servers."""
    make = front.application.group
    return make(servers={front.first: 100}, **settings), make(servers={front.second: 100}, **settings)


class TestRules:
    def test_send_requests_by_path_and_host_and_what_none_fits_to_the_listeners_group(self, front):
        one, other = groups_of_one(front)
        listener_id = front.application.listen(front.balancer_id, one)
        # The broad one comes later, whatever the order of their making.
        fixed = {"HttpCode": "503", "ContentType": "text/plain", "Content": 'closed: 100 %\n"{x}"'}
        closed = {"Type": "FixedResponse", "Order": 1, "FixedResponseConfig": fixed}
        front.application.rule(listener_id, 20, [when("Path", "/v1/*")], [closed])
        conditions = [when("Host", "*.a.example", "b.example"), when("Path", "/v1/jobs*", "/v1/nodes")]
        front.application.rule(listener_id, 10, conditions, [forward_to(other)])

        def asked(path: str, host: str):
            answer = ask(front.address, path=path, headers={"Host": host})
            return answer.seen["server"] if answer.status == 200 else (answer.status, answer.body)

        first, second = front.addresses[front.first], front.addresses[front.second]
        assert asked("/v1/jobs/7?x=1", "x.a.example") == second
        assert asked("/v1/nodes", "B.example:8080") == second
        assert asked("/v1/nodes/3", "b.example") == (503, 'closed: 100 %\n"{x}"')
        assert asked("/v1/jobs", "c.example") == (503, 'closed: 100 %\n"{x}"')
        assert asked("/v2", "b.example") == first

    def test_look_at_headers_queries_cookies_methods_and_clients(self, front):
        one, other = groups_of_one(front)
        listener_id = front.application.listen(front.balancer_id, one)
        conditions = [
            when("Header", "pure gold*", Key="X-Kind"),
            when("QueryString", {"Key": "v", "Value": "2"}, {"Key": "beta", "Value": "?es"}),
            when("Cookie", {"Key": "session", "Value": "*"}),
            when("Method", "GET", "PUT"),
            when("SourceIp", "127.0.0.8/29"),
        ]
        front.application.rule(listener_id, 1, conditions, [forward_to(other)])
        fitting = {
            "path": "/?v=2",
            "headers": {"X-Kind": "pure golden", "Cookie": "a=1; session=x"},
            "source": "127.0.0.9",
        }

        def is_sent(**changes) -> bool:
            return (
                ask(front.address, **{**fitting, **changes}).seen["server"] == front.addresses[front.second]
            )

        assert is_sent()
        assert is_sent(path="/?beta=%79es", method="PUT")
        headers = fitting["headers"]
        for change in (
            {"path": "/?v=3"},
            {"headers": {**headers, "X-Kind": "silver"}},
            {"headers": {**headers, "Cookie": "a=session"}},
            {"source": "127.0.0.1"},
        ):
            assert not is_sent(**change)

    def test_change_requests_on_their_way(self, front):
        one, other = groups_of_one(front)
        listener_id = front.application.listen(front.balancer_id, one)
        rewrite = {"Path": "/inner${path}", "Query": "from=${host}&${query}", "Host": "inner.example"}
        actions = [
            {"Type": "Rewrite", "Order": 1, "RewriteConfig": rewrite},
            header("X-Note", "100 % of 'it'", "UserDefined", 2),
            header("X-Copy", "X-Kind", "ReferenceHeader", 3),
            header("X-Port", "SLBPort", "SystemDefined", 4),
            {"Type": "RemoveHeader", "Order": 5, "RemoveHeaderConfig": {"Key": "X-Kind"}},
            forward_to(other),
        ]
        front.application.rule(listener_id, 1, [when("Path", "/outer/*")], actions)
        seen = ask(
            front.address, path="/outer/page?a=1", headers={"Host": "outer.example", "X-Kind": "gold"}
        ).seen
        assert seen["server"] == front.addresses[front.second]
        assert seen["path"] == "/inner/outer/page?from=outer.example&a=1"
        headers = seen["headers"]
        assert (headers["host"], headers["x-note"]) == ("inner.example", "100 % of 'it'")
        assert (headers["x-copy"], headers["x-port"]) == ("gold", "8080")
        assert "x-kind" not in headers

    def test_send_clients_elsewhere(self, front):
        listener_id = front.application.listen(front.balancer_id, front.application.group())
        elsewhere = {"Protocol": "HTTPS", "Port": "443", "HttpCode": "308"}
        action = {"Type": "Redirect", "Order": 1, "RedirectConfig": elsewhere}
        front.application.rule(listener_id, 1, [when("Path", "/*")], [action])
        for path in ("/page?a=1", "/page"):
            answer = ask(front.address, path=path, headers={"Host": "a.example"})
            assert (answer.status, answer.headers["location"]) == (308, f"https://a.example{path}")

    def test_leave_servers_the_way_that_a_request_has_come(self, front):
        group_id = front.application.group(servers={front.first: 100})
        listener_id = front.application.listen(front.balancer_id, group_id)

        def seen(**headers: str) -> str | None:
            return ask(front.address, headers=headers).seen["headers"].get("x-forwarded-for")

        assert seen() == "127.0.0.1"
        assert seen(**{"X-Forwarded-For": "10.0.0.1, 10.0.0.2"}) == "10.0.0.1, 10.0.0.2, 127.0.0.1"
        config = models.UpdateListenerAttributeRequestXForwardedForConfig
        for settings, expected in (
            ({"xforwarded_for_processing_mode": "remove"}, None),
            ({"xforwarded_for_enabled": False}, "10.0.0.1"),
        ):
            front.application.client.update_listener_attribute(
                models.UpdateListenerAttributeRequest(
                    listener_id=listener_id, xforwarded_for_config=config(**settings)
                )
            )
            front.application.wait_running(listener_id)
            assert seen(**{"X-Forwarded-For": "10.0.0.1"}) == expected

    @pytest.mark.parametrize("bounds", [{"QPS": 4}, {"QPS": 1000, "PerIpQps": 4}])
    def test_let_so_many_requests_through_in_a_second(self, front, bounds):
        group_id = front.application.group(servers={front.first: 100})
        listener_id = front.application.listen(front.balancer_id, group_id)
        front.application.rule(listener_id, 1, [when("Path", "/a")], [limit(**bounds), forward_to(group_id)])

        def served(number: int, **settings: str) -> int:
            return sum(ask(front.address, **settings).status == 200 for _ in range(number))

        begun_at = time.monotonic()
        passed = served(40, path="/a")
        # They take a part of a second, which may fall into two; on a busy machine more.
        assert 4 <= passed <= 4 * (2 + int(time.monotonic() - begun_at))
        assert ask(front.address, path="/a").status == 503
        assert served(10, path="/b") == 10
        if "PerIpQps" in bounds:
            assert ask(front.address, path="/a", source="127.0.0.9").status == 200
        wait_for(lambda: ask(front.address, path="/a").status, lambda status: status == 200)

    @pytest.mark.parametrize(("status", "content"), [("204", "x"), ("404", "")])
    def test_answer_without_content(self, front, status, content):
        listener_id = front.application.listen(front.balancer_id, front.application.group())
        front.application.rule(listener_id, 1, [when("Path", "/a")], [fixed_reply(status, content)])
        answer = ask(front.address, path="/a")
        assert (answer.status, answer.body) == (int(status), "")

    def test_share_requests_between_server_groups(self, front):
        one, other = groups_of_one(front)
        listener_id = front.application.listen(front.balancer_id, one)
        front.application.rule(listener_id, 1, [when("Path", "/a")], [forward_to((other, 100), (one, 0))])
        front.application.rule(listener_id, 2, [when("Path", "/b")], [forward_to((other, 70), (one, 30))])
        served = Counter(ask(front.address, path="/a").seen["server"] for _ in range(10))
        assert served == {front.addresses[front.second]: 10}
        front.application.rule(listener_id, 3, [when("Path", "/c")], [forward_to((one, 30), (other, 70))])
        for path in ("/b", "/c"):
            served = Counter(ask(front.address, path=path).seen["server"] for _ in range(200))
            # A share of 0.7 of 200 strays by 6.5 in two of three trials: this is more than six of that.
            assert abs(served[front.addresses[front.second]] - 140) < 42

    def test_are_listed_changed_swapped_and_deleted(self, front):
        application, client = front.application, front.application.client
        listener_id = application.listen(front.balancer_id, application.group())
        request = models.CreateRulesRequest().from_map(
            {
                "ListenerId": listener_id,
                "Rules": [
                    {
                        "RuleName": f"rule-{number}",
                        "Priority": number,
                        "RuleConditions": [when("Path", f"/{number}")],
                        "RuleActions": [fixed_reply(f"20{number}")],
                    }
                    for number in (1, 2)
                ],
            }
        )
        made = {one.priority: one.rule_id for one in client.create_rules(request).body.rule_ids}
        application.wait_running(listener_id)
        assert [(one.rule_name, one.rule_status) for one in application.rules(listener_id)] == [
            ("rule-1", "Available"),
            ("rule-2", "Available"),
        ]
        with refused("Conflict.Priority"):
            application.rule(listener_id, 2, [when("Path", "/3")], [fixed_reply("203")])
        swap = [
            {"RuleId": made[1], "Priority": 2},
            {"RuleId": made[2], "Priority": 1, "RuleConditions": [when("Path", "/1")]},
        ]
        client.update_rules_attribute(models.UpdateRulesAttributeRequest().from_map({"Rules": swap}))
        application.wait_running(listener_id)
        assert ask(front.address, path="/1").status == 202
        client.update_rule_attribute(models.UpdateRuleAttributeRequest(rule_id=made[2], rule_name="renamed"))
        application.wait_running(listener_id)
        assert [one.rule_name for one in application.rules(listener_id)] == ["renamed", "rule-1"]
        client.delete_rules(models.DeleteRulesRequest(rule_ids=[made[2]]))
        application.wait_running(listener_id)
        assert ask(front.address, path="/1").status == 201
        client.delete_rule(models.DeleteRuleRequest(rule_id=made[1]))
        application.wait_running(listener_id)
        with refused("ResourceNotFound.Rule", 404):
            client.delete_rule(models.DeleteRuleRequest(rule_id=made[1]))

    def test_that_cannot_be_are_refused_by_name(self, front):
        group_id = front.application.group()
        listener_id = front.application.listen(front.balancer_id, group_id)
        path, to_group = when("Path", "/a"), forward_to(group_id)
        mirror = {
            "Type": "TrafficMirror",
            "Order": 1,
            "TrafficMirrorConfig": {"TargetType": "ForwardGroupMirror"},
        }
        for conditions, actions, code, text in (
            ([when("Path", "a")], [to_group], "InvalidParameter", "begins with /"),
            ([when("Path", "~(")], [to_group], "InvalidParameter", "regular expression"),
            ([when("Header", "x", Key="Host")], [to_group], "InvalidParameter", "HeaderConfig.Key"),
            ([when("Header", " x", Key="X-Kind")], [to_group], "InvalidParameter", "HeaderConfig.Values"),
            ([when("Method", "TRACE")], [to_group], "InvalidParameter", "MethodConfig"),
            ([when("SourceIp", "home")], [to_group], "InvalidParameter", "IPv4"),
            ([when("ResponseStatusCode", "500")], [to_group], "UnsupportedOperation", "answers"),
            ([{"Type": "Path"}], [to_group], "MissingParameter", "PathConfig.Values"),
            ([path], [header("X", "1", "UserDefined", 1)], "InvalidParameter", "last"),
            ([path], [mirror, to_group], "UnsupportedOperation", "TrafficMirror"),
            ([path], [limit(QPS=0), to_group], "MissingParameter", "TrafficLimitConfig.QPS"),
            ([path], [limit(QPS=5), limit(order=2, QPS=6), to_group], "InvalidParameter", "one TrafficLimit"),
            ([path], [limit(QPS=5, PerIpQps=5), to_group], "InvalidParameter", "less than QPS"),
            ([path], [limit(QPS=1_000_001), to_group], "InvalidParameter", "from 1 to 1000000"),
            ([path], [header("Host", "a", "UserDefined", 1), to_group], "InvalidParameter", "Key"),
            ([path], [forward_to((group_id, 0))], "InvalidParameter", "Weight"),
            ([path], [fixed_reply("302")], "InvalidParameter", "HttpCode"),
            ([path], [forward_to(group_id, order=0)], "InvalidParameter", "Order"),
        ):
            with refused(code, text=text):
                front.application.rule(listener_id, 1, conditions, actions)
        with refused("ResourceNotFound.ServerGroup", 404):
            front.application.rule(listener_id, 1, [path], [forward_to("sgp-none")])
        with refused("InvalidParameter", text='"Priority"'):
            front.application.rule(listener_id, 10001, [path], [to_group])


class TestServers:
    def test_are_chosen_by_their_weights(self, front):
        group_id = front.application.group(servers={front.first: 100, front.second: 50})
        front.application.listen(front.balancer_id, group_id)
        served = Counter(ask(front.address).seen["server"] for _ in range(30))
        assert served == {front.addresses[front.first]: 20, front.addresses[front.second]: 10}

    def test_change_and_no_open_connection_is_touched_nor_by_a_new_rule(self, front):
        application = front.application
        group_id = application.group(servers={front.first: 100})
        listener_id = application.listen(front.balancer_id, group_id)
        connection = http.client.HTTPConnection(front.address, 8080, timeout=5)

        def served_by() -> str:
            connection.request("GET", "/")
            return json.loads(connection.getresponse().read())["server"]

        assert served_by() == front.addresses[front.first]
        held = connection.sock
        application.add(group_id, {front.second: 100})
        application.weigh(group_id, {front.first: 0})
        assert served_by() == front.addresses[front.second]
        application.remove(group_id, front.first)
        assert served_by() == front.addresses[front.second]
        assert connection.sock is held
        further = application.group(servers={front.first: 100})
        application.rule(listener_id, 1, [when("Path", "/")], [forward_to(further)])
        # HAProxy has been reloaded: the old worker answers once more, and then has the client come anew.
        assert served_by() == front.addresses[front.second]
        assert served_by() == front.addresses[front.first]
        connection.close()

    @pytest.mark.slow
    @pytest.mark.parametrize("drains", [True, False], ids=["draining", "not draining"])
    def test_that_are_removed_finish_their_requests_or_are_cut_when_draining_ends(self, front, drains):
        application = front.application
        config = models.CreateServerGroupRequestConnectionDrainConfig(
            connection_drain_enabled=drains, connection_drain_timeout=1
        )
        group_id = application.group(servers={front.first: 100}, connection_drain_config=config)
        application.listen(front.balancer_id, group_id)
        statuses: list[int] = []
        client = threading.Thread(target=lambda: statuses.append(ask(front.address, path="/slow").status))
        client.start()
        wait_for(lambda: _num_open(front.addresses[front.first]), bool)
        application.remove(group_id, front.first)
        client.join(5)
        # The request is tried again when it is cut, and there is no other server.
        assert statuses == [503 if drains else 200]

    @pytest.mark.parametrize(
        ("settings", "came"),
        [
            ({}, "HEAD HTTP/1.0 None"),
            ({"health_check_host": "a.example"}, "HEAD HTTP/1.1 a.example"),
            (
                {"health_check_host": "a.example", "health_check_http_version": "HTTP1.0"},
                "HEAD HTTP/1.0 a.example",
            ),
            ({"health_check_method": "GET"}, "GET HTTP/1.0 None"),
        ],
        ids=["no host", "host", "older", "method"],
    )
    def test_are_checked_as_it_was_asked_for(self, front, settings, came):
        group_id = front.application.group({**CHECKED, **settings}, servers={front.first: 100})
        listener_id = front.application.listen(front.balancer_id, group_id)
        front.application.wait_healthy(listener_id)
        assert ask(front.address).seen["check"] == came

    def test_keep_a_client_by_a_cookie(self, front):
        sticky = models.CreateServerGroupRequestStickySessionConfig(
            sticky_session_enabled=True, sticky_session_type="Insert", cookie_timeout=60
        )
        group_id = front.application.group(
            servers={front.first: 100, front.second: 100}, sticky_session_config=sticky
        )
        front.application.listen(front.balancer_id, group_id)
        first = ask(front.address)
        cookie = first.headers["set-cookie"].partition(";")[0]
        assert cookie.startswith("SERVERID=")
        served = {ask(front.address, headers={"Cookie": cookie}).seen["server"] for _ in range(6)}
        assert served == {first.seen["server"]}

    def test_are_chosen_by_a_parameter_of_the_query(self, front):
        uch = models.CreateServerGroupRequestUchConfig(type="QueryString", value="user")
        group_id = front.application.group(
            servers={front.first: 100, front.second: 100}, scheduler="Uch", uch_config=uch
        )
        front.application.listen(front.balancer_id, group_id)
        chosen = {
            user: {ask(front.address, path=f"/?user={user}").seen["server"] for _ in range(3)}
            for user in range(12)
        }
        assert {len(servers) for servers in chosen.values()} == {1}
        assert len(set.union(*chosen.values())) == 2

    @pytest.mark.slow
    def test_that_are_new_start_slowly(self, front):
        slow = models.CreateServerGroupRequestSlowStartConfig(slow_start_enabled=True, slow_start_duration=30)
        group_id = front.application.group(CHECKED, servers={front.first: 100}, slow_start_config=slow)
        listener_id = front.application.listen(front.balancer_id, group_id)
        front.application.wait_healthy(listener_id)
        front.application.add(group_id, {front.second: 100})
        front.application.wait_healthy(listener_id)
        served = Counter(ask(front.address).seen["server"] for _ in range(40))
        assert served[front.addresses[front.second]] < 14


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
        group_id = front.application.group(
            CHECKED_BY_CALLS,
            servers={front.first: 100, front.second: 100},
            port=GRPC_PORT,
            protocol="gRPC",
        )
        listener_id = self.listen(front, group_id, certificate_id)
        front.application.wait_healthy(listener_id)
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
        group_id = front.application.group(
            CHECKED_BY_CALLS,
            servers={front.first: 100, front.second: 100},
            port=GRPC_PORT,
            protocol="gRPC",
        )
        listener_id = self.listen(front, group_id, certificate_id)
        front.application.wait_healthy(listener_id)
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


class TestClients:
    @pytest.mark.parametrize("acl_type", ["White", "Black"])
    def test_are_let_in_or_kept_out_by_lists_that_change(self, front, acl_type):
        application, is_white = front.application, acl_type == "White"
        listener_id = application.listen(front.balancer_id, application.group(servers={front.first: 100}))
        acl_id = application.acl("127.0.0.8/29")
        application.client.associate_acls_with_listener(
            models.AssociateAclsWithListenerRequest(
                listener_id=listener_id, acl_ids=[acl_id], acl_type=acl_type
            )
        )
        assert lets_in(front, "127.0.0.9") is is_white
        assert lets_in(front, "127.0.0.1") is not is_white
        application.add_ranges(acl_id, "127.0.0.1")
        assert lets_in(front, "127.0.0.1") is is_white


def header(key: str, value: str, value_type: str, order: int) -> dict:
    config = {"Key": key, "Value": value, "ValueType": value_type}
    return {"Type": "InsertHeader", "Order": order, "InsertHeaderConfig": config}


def limit(order: int = 1, **bounds: int) -> dict:
    return {"Type": "TrafficLimit", "Order": order, "TrafficLimitConfig": bounds}


def fixed_reply(code: str, content: str = "x") -> dict:
    config = {"HttpCode": code, "ContentType": "text/plain", "Content": content}
    return {"Type": "FixedResponse", "Order": 1, "FixedResponseConfig": config}


def lets_in(front: Front, source: str) -> bool:
    try:
        return ask(front.address, source=source).status == 200
    except (ConnectionError, http.client.HTTPException):
        return False


def _num_open(address: str) -> int:
    """Count the connections to a server's HTTP port."""
    return sum(
        bool(one.raddr) and (one.raddr.ip, one.raddr.port) == (address, HTTP_PORT)
        for one in psutil.net_connections("tcp4")
        if one.status == psutil.CONN_ESTABLISHED
    )
