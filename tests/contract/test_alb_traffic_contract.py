"""How application load balancers treat servers and clients: weights, stickiness, draining, checks, access lists."""

from __future__ import annotations

import http.client
import json
from collections import Counter
from concurrent.futures import ThreadPoolExecutor

import psutil
import pytest
from alibabacloud_alb20200616 import models
from contract_application import HTTP_PORT, ask, forward_to, when
from contract_front import Front
from contract_sdk import wait_for

CHECKED = {"health_check_enabled": True, "health_check_path": "/healthz"}


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
        path, status = ("/slow25", 503) if drains else ("/slow2", 200)
        with ThreadPoolExecutor() as pool:
            client = pool.submit(ask, front.address, path=path, timeout_s=60)
            wait_for(lambda: _num_open(front.addresses[front.first]), bool)
            application.remove(group_id, front.first)
            # The request is tried again when it is cut, and there is no other server.
            assert client.result().status == status

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
