"""Secondary network interfaces and further addresses of instances in namespaces: real devices, reached and gone."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager

import pytest
from namespace_cloud import PATIENCE_S

from steelyard.localcloud.hosts import kernel
from steelyard.localcloud.hosts.choice import missing_part

MISSING = missing_part()
pytestmark = pytest.mark.skipif(bool(MISSING), reason=f"no namespace host here: {MISSING}")
BLOCK, OTHER_BLOCK = "10.94.0.0/16", "192.168.0.0/16"
PORT = 8000


@pytest.fixture
def mounts() -> Iterator[int]:
    mounts = kernel.new_mounts()
    yield mounts
    os.close(mounts)


@pytest.fixture
def router(mounts) -> Iterator:
    from steelyard.localcloud.hosts.router import Router

    router = Router.make("wiring", mounts)
    yield router
    router.close()


def wiring(*further: str, routes: tuple[str, ...] = (BLOCK,), **devices: tuple[str, ...]):
    from steelyard.localcloud.hosts.host import Wiring

    return Wiring(routes=routes, addresses=further, devices=devices)


def devices_of(plug) -> dict[str, tuple[str, ...]]:
    from steelyard.localcloud.hosts import cable

    return dict(kernel.inside(cable.devices, network=plug.network))


@contextmanager
def serving(plug, address: str) -> Iterator[None]:
    """Serve at an address of an instance."""

    def listen() -> socket.socket:
        return socket.create_server((address, PORT), backlog=8)

    with closing(kernel.inside(listen, network=plug.network)):
        yield


def reaches(plug, address: str, source: str = "") -> bool:
    """Tell whether a connection from an instance is answered."""

    def connect() -> bool:
        with socket.socket() as client:
            client.settimeout(PATIENCE_S)
            if source:
                client.bind((source, 0))
            try:
                client.connect((address, PORT))
            except OSError:
                return False
            return client.getpeername()[0] == address

    return kernel.inside(connect, network=plug.network)


def test_a_secondary_interface_is_a_device_at_whose_address_others_find_the_instance(router):
    server = router.plug("server", "10.94.0.10", wiring(storage=("10.94.1.10",)), None)
    client = router.plug("client", "10.94.0.20", wiring(), None)
    assert devices_of(server) == {"eth0": ("10.94.0.10",), "eth1": ("10.94.1.10",)}
    with serving(server, "10.94.1.10"):
        assert reaches(client, "10.94.1.10")
    with serving(server, "10.94.0.10"):
        assert reaches(client, "10.94.0.10")
    with serving(client, "10.94.0.20"):
        assert reaches(server, "10.94.0.20", source="10.94.1.10")
        assert reaches(server, "10.94.0.20", source="10.94.0.10")


def test_it_comes_and_goes_while_the_instance_runs(router):
    server, client = (
        router.plug(name, address, wiring(), None)
        for name, address in (("server", "10.94.0.10"), ("client", "10.94.0.20"))
    )
    router.wire("server", wiring(first=("10.94.1.1",), second=("10.94.1.2", "10.94.1.3")))
    assert devices_of(server)["eth2"] == ("10.94.1.2", "10.94.1.3")
    with serving(server, "0.0.0.0"):
        assert all(reaches(client, f"10.94.1.{number}") for number in (1, 2, 3))

        router.wire("server", wiring(second=("10.94.1.2",)))

        assert set(devices_of(server)) == {"eth0", "eth2"}
        assert [reaches(client, f"10.94.1.{number}") for number in (1, 2, 3)] == [False, True, False]
        # A place that is free again is taken first; what stays is not disturbed.
        router.wire("server", wiring(second=("10.94.1.2",), third=("10.94.1.1",)))
        assert devices_of(server)["eth1"] == ("10.94.1.1",)
        assert reaches(client, "10.94.1.1")
        assert reaches(client, "10.94.1.2")


def test_an_instances_own_interface_has_further_addresses(router):
    server = router.plug("server", "10.94.0.10", wiring("10.94.0.11"), None)
    client = router.plug("client", "10.94.0.20", wiring(), None)
    with serving(server, "0.0.0.0"):
        assert reaches(client, "10.94.0.11")
        router.wire("server", wiring("10.94.0.12"))
        assert [reaches(client, f"10.94.0.{number}") for number in (10, 11, 12)] == [True, False, True]
    with serving(client, "10.94.0.20"):
        assert reaches(server, "10.94.0.20", source="10.94.0.12")
    assert router.instance_at("10.94.0.12") == "server"
    assert router.instance_at("10.94.0.11") is None


def test_it_cannot_speak_from_an_address_that_is_another_ones(router):
    server = router.plug("server", "10.94.0.10", wiring(), None)
    thief = router.plug("thief", "10.94.0.30", wiring(), None)
    router.plug("owner", "10.94.0.20", wiring(storage=("10.94.1.20",)), None)
    from steelyard.localcloud.hosts import cable

    stolen = cable.Wire(device="eth0", cable="", addresses=())
    kernel.inside(lambda: cable.take(stolen, ["10.94.1.20"]), network=thief.network)
    with serving(server, "10.94.0.10"):
        assert reaches(thief, "10.94.0.10", source="10.94.0.30")
        assert not reaches(thief, "10.94.0.10", source="10.94.1.20")


def test_a_cut_cable_lets_nothing_pass_by_any_device_and_mending_brings_all_back(router):
    server = router.plug("server", "10.94.0.10", wiring(storage=("10.94.1.10",)), None)
    client = router.plug("client", "10.94.0.20", wiring(), None)
    with serving(server, "0.0.0.0"):
        assert router.cut("server")
        assert not reaches(client, "10.94.0.10")
        assert not reaches(client, "10.94.1.10")
        assert router.mend("server")
        assert wait_reached(client, "10.94.0.10")
        assert wait_reached(client, "10.94.1.10")


def wait_reached(plug, address: str) -> bool:
    return any(reaches(plug, address) for _ in range(10))


def test_a_vpc_gets_a_further_block_and_loses_it(router):
    server = router.plug("server", "192.168.0.10", wiring(routes=(BLOCK, OTHER_BLOCK)), None)
    client = router.plug("client", "10.94.0.20", wiring(storage=("10.94.1.20",)), None)
    with serving(server, "192.168.0.10"):
        assert not reaches(client, "192.168.0.10")
        router.wire("client", wiring(routes=(BLOCK, OTHER_BLOCK), storage=("10.94.1.20",)))
        assert reaches(client, "192.168.0.10")
        assert reaches(client, "192.168.0.10", source="10.94.1.20")
        router.wire("client", wiring(storage=("10.94.1.20",)))
        assert not reaches(client, "192.168.0.10")
        assert not reaches(client, "192.168.0.10", source="10.94.1.20")


def test_the_filter_holds_on_every_device(router):
    from steelyard.localcloud.hosts.packet_filter import PacketFilter

    server = router.plug("server", "10.94.0.10", wiring(storage=("10.94.1.10",)), PacketFilter())
    client = router.plug("client", "10.94.0.20", wiring(), None)
    with serving(server, "0.0.0.0"):
        assert not reaches(client, "10.94.0.10")
        assert not reaches(client, "10.94.1.10")


def test_unplugging_leaves_no_cable(router):
    from steelyard.localcloud.hosts import cable

    router.plug("server", "10.94.0.10", wiring(storage=("10.94.1.10",)), None)
    assert len(kernel.inside(cable.led, network=router.network)) == 2
    router.unplug("server")
    assert kernel.inside(cable.led, network=router.network) == {}
    router.wire("server", wiring())


def test_a_change_that_the_kernel_refuses_is_told_and_can_be_made_good(router):
    server = router.plug("server", "10.94.0.10", wiring(), None)
    client = router.plug("client", "10.94.0.20", wiring(), None)
    with pytest.raises(OSError, match="Invalid argument"):
        router.wire("server", wiring(routes=(BLOCK, "192.168.0.1/16")))
    with serving(server, "10.94.0.10"):
        assert reaches(client, "10.94.0.10")
        router.wire("server", wiring(storage=("10.94.1.10",)))
        assert reaches(client, "10.94.0.10")
    assert set(devices_of(server)) == {"eth0", "eth1"}


@pytest.fixture
def keeper(router) -> Iterator[int]:
    """A process in an instance's namespace, by which the next cloud finds it."""
    plug = router.plug("server", "10.94.0.10", wiring("10.94.0.11", storage=("10.94.1.10",)), None)
    process = kernel.inside(
        lambda: subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE),
        network=plug.network,
    )
    yield process.pid
    process.communicate(b"\n")


@contextmanager
def taken_up(mounts: int, keeper: int, wanted) -> Iterator:
    """Know an instance again as a later cloud does."""
    from steelyard.localcloud.hosts.router import Router

    (later,) = Router.find(mounts)
    plug = later.take_up("server", "10.94.0.10", wanted, keeper, None)
    yield later, plug
    os.close(plug.network)
    os.close(later.network)


def test_a_later_cloud_knows_the_cables_again_and_lays_what_is_missing(mounts, keeper):
    wanted = wiring("10.94.0.11", storage=("10.94.1.10", "10.94.1.11"), extra=("10.94.1.12",))
    with taken_up(mounts, keeper, wanted) as (later, server):
        assert {name: wire.device for name, wire in server.wires.items()} == {
            "": "eth0",
            "storage": "eth1",
            "extra": "eth2",
        }
        client = later.plug("client", "10.94.0.20", wiring(), None)
        with serving(server, "0.0.0.0"):
            for address in ("10.94.0.11", "10.94.1.10", "10.94.1.11", "10.94.1.12"):
                assert reaches(client, address), address
        later.unplug("client")


def test_a_later_cloud_lays_anew_what_was_about_to_be_laid(mounts, router, keeper):
    from steelyard.localcloud.hosts import cable

    network = os.open(f"/proc/{keeper}/ns/net", os.O_RDONLY)
    kernel.inside(lambda: cable.lay("half-laid", "eth2", network), network=router.network)
    os.close(network)
    wanted = wiring("10.94.0.11", storage=("10.94.1.10",), extra=("10.94.1.12",))
    with taken_up(mounts, keeper, wanted) as (_, server):
        assert devices_of(server)["eth2"] == ("10.94.1.12",)


def test_a_later_cloud_passes_over_a_name_that_was_about_to_be_given_or_taken(mounts, router):
    from steelyard.localcloud.hosts.router import Router

    kernel.inside((kernel.NAMES / "half").touch, mounts=mounts)
    found = Router.find(mounts)
    assert [one.name for one in found] == ["wiring"]
    os.close(found[0].network)
    names = kernel.inside(lambda: [path.name for path in kernel.NAMES.iterdir()], mounts=mounts)
    assert names == ["wiring"]


def test_a_later_cloud_removes_what_is_not_to_be_any_more(mounts, keeper):
    with taken_up(mounts, keeper, wiring()) as (_, server):
        assert devices_of(server) == {"eth0": ("10.94.0.10",)}
