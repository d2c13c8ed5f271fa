from __future__ import annotations

import uuid

import pytest
from own_range import served
from traffic import wait_until

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts.host import Machine
from steelyard.localcloud.hosts.limit import ROOT, ControlGroups
from steelyard.localcloud.hosts.loopback import LoopbackHost

GREEDY = b"""#!/usr/bin/env python3
print("held", len(bytes(16 << 20)), flush=True)
print("held", len(b"x" * (256 << 20)), flush=True)
"""


@pytest.fixture
def host(tmp_path):
    try:
        limits = ControlGroups.find()
    except LocalCloudError as err:
        pytest.skip(f"no limits here: {err.message}")
    host = LoopbackHost(tmp_path / "instances", limits)
    yield host
    host.close(0)


def test_an_instance_gets_no_more_memory_than_its_type_has_and_leaves_no_group(host):
    instance_id = f"i-{uuid.uuid4().hex}"  # By which the groups of the whole machine are found.
    machine = Machine(
        instance_id=instance_id,
        address=served("218.10"),
        user_data=GREEDY,
        metadata_url="",
        vcpus=1,
        memory_mib=128,
    )
    host.boot(machine, lambda: None)
    console = wait_until(
        lambda: host.console(instance_id).decode(), lambda text: "ended with exit code" in text
    )
    assert f"held {16 << 20}" in console
    assert f"held {256 << 20}" not in console
    assert "exit code -9" in console
    assert host.is_running(instance_id)  # As a machine whose boot script was killed.
    assert list(ROOT.glob(f"**/steelyard-{instance_id}"))
    host.shut_down(instance_id, 0)
    assert not list(ROOT.glob(f"**/steelyard-{instance_id}"))
