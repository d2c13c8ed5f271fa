from __future__ import annotations

import pytest
from recording_monitor import Recording, record

from steelyard.components.program import declare
from steelyard.spec import ClusterSpec

TOKEN = "f" * 64


@pytest.fixture(scope="session")
def demo() -> Recording:
    """What the smallest cluster file declares."""
    return record(lambda: declare(ClusterSpec(name="demo"), TOKEN))


@pytest.fixture(scope="session")
def behind_nat() -> Recording:
    """What a cluster declares whose nodes reach the Internet by a NAT gateway."""
    return record(lambda: declare(ClusterSpec(name="demo", network={"egress": "nat"}), TOKEN))


@pytest.fixture(scope="session")
def with_scaling() -> Recording:
    """What a cluster declares whose nodes come and go, by all that can move them, behind a network load balancer."""
    scaling = {
        "max": 4,
        "on_demand_percent": 50,
        "target_cpu_percent": 60,
        "steps": [{"cpu_above_percent": 90, "add": 2}],
        "schedules": [{"at": "07:30", "nodes": 4}],
        "alarm_mails": ["ops@example.com"],
    }
    groups = [{"name": "workers", "scaling": scaling}]
    spec = ClusterSpec(name="demo", node_groups=groups, load_balancer={"kind": "network"})
    return record(lambda: declare(spec, TOKEN))


@pytest.fixture(scope="session")
def with_rules() -> Recording:
    """What a cluster declares behind an application load balancer with a rule."""
    rules = [{"name": "board", "paths": ["/board/*"], "port": 6006}]
    return record(
        lambda: declare(
            ClusterSpec(name="demo", load_balancer={"kind": "application", "rules": rules}), TOKEN
        )
    )


@pytest.fixture(scope="session")
def with_bucket() -> Recording:
    """What a cluster declares that keeps checkpoints in a bucket."""
    return record(lambda: declare(ClusterSpec(name="demo", checkpoints={"kind": "oss"}), TOKEN))


@pytest.fixture(scope="session")
def with_files() -> Recording:
    """What a cluster declares that keeps checkpoints on a file system."""
    spec = ClusterSpec(name="demo", target="alicloud", checkpoints={"kind": "nas"})
    return record(lambda: declare(spec, TOKEN))
