"""Two commands at once on the local cloud of one home: neither takes it from the other."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pulumi_alicloud as alicloud
import pytest

from steelyard.cluster import Home
from steelyard.cluster.local_deployment import LocalDeployment
from steelyard.cluster.local_target import LocalTarget
from steelyard.deploy import AlicloudProvider
from steelyard.localcloud import daemon

MOMENT_S = 3.0
"""Longer than a command takes to find a cloud that runs."""

# The SDK's lazy loader must not be met by several threads first.
AlicloudProvider(endpoint="", access_key_id="", access_key_secret="", region_id="").preload()


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    yield Home(root=tmp_path)
    assert daemon.stop(Home(root=tmp_path).cloud_dir).left == ()


@pytest.fixture
def pool() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(2) as pool:
        yield pool


def deployment(home: Home, name: str) -> LocalDeployment:
    return LocalDeployment(home, project="p", name=name, region_id="cn-hangzhou")


def gated(begun: threading.Event, gate: threading.Event) -> Callable[[], None]:
    """Give a program that tells that it has begun and then waits at a gate."""

    def program() -> None:
        begun.set()
        assert gate.wait(60)
        alicloud.vpc.Network("net", cidr_block="10.0.0.0/8")

    return program


def test_an_up_beside_a_preview_that_started_the_cloud_has_one_that_stays(
    home: Home, pool: ThreadPoolExecutor
) -> None:
    is_previewing, is_up, gate = threading.Event(), threading.Event(), threading.Event()
    preview = pool.submit(
        deployment(home, "seen").preview, gated(is_previewing, gate), lambda step: None, refresh=False
    )
    assert is_previewing.wait(60)
    up = pool.submit(deployment(home, "made").up, gated(is_up, gate), lambda step: None, refresh=False)
    is_up.wait(MOMENT_S)
    gate.set()

    assert preview.result(60).has_changes
    assert up.result(60).num_by_op == {"create": 1}
    assert daemon.status(home.cloud_dir) is not None
    deployment(home, "made").down(lambda step: None)


def test_a_preview_beside_an_up_that_started_the_cloud_does_not_wait_for_it(
    home: Home, pool: ThreadPoolExecutor
) -> None:
    is_up, gate = threading.Event(), threading.Event()
    open_gate = threading.Event()
    open_gate.set()
    up = pool.submit(deployment(home, "made").up, gated(is_up, gate), lambda step: None, refresh=False)
    assert is_up.wait(60)

    deployment(home, "seen").preview(gated(is_up, open_gate), lambda step: None, refresh=False)

    gate.set()
    assert up.result(60).num_by_op == {"create": 1}
    assert daemon.status(home.cloud_dir) is not None
    deployment(home, "made").down(lambda step: None)


def test_what_clears_an_empty_cloud_waits_for_the_command_that_uses_it(
    home: Home, pool: ThreadPoolExecutor
) -> None:
    is_up, gate = threading.Event(), threading.Event()
    up = pool.submit(deployment(home, "made").up, gated(is_up, gate), lambda step: None, refresh=False)
    assert is_up.wait(60)
    clearing = pool.submit(LocalTarget(home=home).leave)
    with pytest.raises(TimeoutError):
        clearing.result(MOMENT_S)
    gate.set()

    assert up.result(60).num_by_op == {"create": 1}
    clearing.result(60)
    assert daemon.status(home.cloud_dir) is None


def test_visits_within_a_visit_start_one_cloud(home: Home) -> None:
    target = LocalTarget(home=home)
    with target.visit():
        with target.visit():
            first = daemon.start(home.cloud_dir)
        assert daemon.status(home.cloud_dir) == first
    assert daemon.status(home.cloud_dir) is None
