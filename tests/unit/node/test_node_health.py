from steelyard.node.health import Health, HealthStatus


def test_a_node_is_unhealthy_until_ray_is_ready_and_says_why() -> None:
    told: list[HealthStatus] = []
    health = Health(on_change=told.append)
    assert health.status == HealthStatus(is_healthy=False, reason="starting")
    health.set_reason("waiting for the head 10.64.0.10")
    health.set_reason("waiting for the head 10.64.0.10")
    health.set_reason(None)
    assert [status.reason for status in told] == ["waiting for the head 10.64.0.10", ""]
    assert health.status.is_healthy


def test_a_draining_node_never_becomes_healthy_again() -> None:
    health = Health()
    health.set_reason(None)
    health.drain()
    health.set_reason(None)
    assert health.status == HealthStatus(is_healthy=False, reason="draining")
