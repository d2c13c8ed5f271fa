"""What listeners of application load balancers tell of their servers' health."""

from __future__ import annotations

from contract_sdk import wait_for


class TestListener:
    def test_without_health_checks_knows_no_health(self, application, servers):
        group_id = application.group(servers=dict.fromkeys(servers.ids, 100))
        listener_id = application.listen(application.balance(), group_id)
        assert {one.status for one in application.unhealthy(listener_id).values()} == {"Unavailable"}

    def test_knows_no_healthy_server_as_unhealthy_while_its_first_checks_go_on(self, application, servers):
        """A server is unhealthy once it fails checks, and not while it has passed too few of them."""
        group_id = application.group(
            {"health_check_enabled": True, "health_check_method": "GET"},
            servers=dict.fromkeys(servers.ids, 100),
        )
        listener_id = application.listen(application.balance(), group_id)
        seen: set[str] = set()

        def is_healthy(rows) -> bool:
            seen.update(row.status for row in rows.values())
            return not rows

        wait_for(lambda: application.unhealthy(listener_id), is_healthy)
        assert seen <= {"Initial"}

    def test_tells_which_servers_are_not_healthy_and_why(self, application, servers):
        group_id = application.group(
            {"health_check_enabled": True, "health_check_connect_port": 1},
            servers=dict.fromkeys(servers.ids, 100),
        )
        listener_id = application.listen(application.balance(), group_id)
        found = wait_for(
            lambda: application.unhealthy(listener_id),
            lambda rows: {row.status for row in rows.values()} == {"Unhealthy"},
        )
        assert {row.reason.reason_code for row in found.values()} == {"CONNECT_FAILED"}

    def test_knows_a_server_of_weight_0_as_unused_whatever_its_checks_find(self, application, servers):
        """An unused server takes no requests; with a weight it is judged again (the SDK's words on `Status`)."""
        check = {"health_check_enabled": True, "health_check_method": "GET"}
        group_id = application.group(check, servers=dict.fromkeys(servers.ids, 100))
        listener_id = application.listen(application.balance(), group_id)
        application.wait_healthy(listener_id)
        resting = servers.ids[0]

        application.weigh(group_id, {resting: 0})

        found = application.unhealthy(listener_id)
        assert {server_id: row.status for server_id, row in found.items()} == {resting: "Unused"}
        assert found[resting].reason is None
        application.weigh(group_id, {resting: 100})
        application.wait_healthy(listener_id)
