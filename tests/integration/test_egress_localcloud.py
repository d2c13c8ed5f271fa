"""Networks with a way out, and existing ones, brought up on a real local cloud."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pulumi
import pytest

from steelyard.components.firewall import Firewall, FirewallArgs
from steelyard.components.network import Network, NetworkArgs
from steelyard.deploy import AlicloudProvider, Result, Stack
from steelyard.localcloud import daemon

ZONES = ("cn-hangzhou-h", "cn-hangzhou-i", "cn-hangzhou-j")


@pytest.fixture(scope="module")
def provider(tmp_path_factory: pytest.TempPathFactory) -> Iterator[AlicloudProvider]:
    data_dir: Path = tmp_path_factory.mktemp("cloud")
    info = daemon.start(data_dir)
    yield AlicloudProvider(
        endpoint=info.endpoint,
        access_key_id=info.access_key_id,
        access_key_secret=info.access_key_secret,
        region_id=info.region_id,
        timeout_s=30,
    )
    assert daemon.stop(data_dir).left == ()
    daemon.purge(data_dir)


def network(num_zones: int, *, cluster: str = "demo") -> None:
    """Declare a network with a NAT gateway."""
    made = Network(
        "net",
        NetworkArgs(
            cluster=cluster,
            cidr="10.64.0.0/16",
            zones=ZONES[:num_zones],
            vswitch_cidrs=[f"10.64.{16 * i}.0/20" for i in range(num_zones)],
            has_nat=True,
        ),
    )
    assert made.egress is not None
    pulumi.export("vpc_id", made.vpc_id)
    pulumi.export("vswitch_ids", made.vswitch_ids)
    pulumi.export("address", made.egress.address)


def test_a_nat_gateway_comes_up_stays_grows_and_goes(tmp_path: Path, provider: AlicloudProvider) -> None:
    stack = Stack(tmp_path, project="steelyard", name="out")
    made = stack.up(lambda: network(2), provider)
    assert made.num_by_op == {
        "create": 10
    }  # two components, VPC, 2 VSwitches, gateway, EIP, its binding, 2 entries
    assert str(made.outputs["address"].value).startswith("203.0.113.")

    assert stack.up(lambda: network(2), provider).num_by_op == {"same": 10}
    assert set(stack.refresh(provider).num_by_op) == {"same"}

    grown = stack.up(lambda: network(3), provider)
    assert grown.num_by_op == {"same": 10, "create": 2}
    renamed = stack.up(lambda: network(3, cluster="other"), provider)
    assert renamed.num_by_op == {"same": 3, "update": 9}
    assert renamed.outputs["address"].value == made.outputs["address"].value

    assert stack.destroy(provider).num_by_op == {"delete": 12}
    assert stack.resources() == ()


def test_what_nodes_may_call_is_bounded_by_rules_that_follow_the_list(
    tmp_path: Path, provider: AlicloudProvider
) -> None:
    def bounded(*cidrs: str) -> Result:
        def program() -> None:
            made = Network(
                "net",
                NetworkArgs(
                    cluster="demo", cidr="10.64.0.0/16", zones=ZONES[:1], vswitch_cidrs=["10.64.0.0/20"]
                ),
            )
            args = FirewallArgs(
                cluster="demo",
                vpc_id=made.vpc_id,
                gateway_port=8000,
                egress_cidrs=cidrs,
                member_cidrs=["10.64.0.0/20"],
            )
            Firewall("wall", args)

        return stack.up(program, provider)

    def egress() -> set[tuple[object, object, object]]:
        rules = [one.outputs for one in stack.resources() if one.type.endswith(":SecurityGroupRule")]
        return {
            (rule["policy"], rule["cidrIp"], rule["priority"]) for rule in rules if rule["type"] == "egress"
        }

    stack = Stack(tmp_path, project="steelyard", name="bounds")
    always = {("accept", "10.64.0.0/20", 1), ("accept", "100.64.0.0/10", 1), ("drop", "0.0.0.0/0", 100)}
    bounded("203.0.113.0/24")
    assert egress() == always | {("accept", "203.0.113.0/24", 1)}
    assert bounded("203.0.113.0/24").has_changes is False
    changed = bounded("198.51.100.7/32")
    assert (changed.num_by_op["create"], changed.num_by_op["delete"]) == (1, 1)
    assert egress() == always | {("accept", "198.51.100.7/32", 1)}
    bounded()
    assert egress() == set()
    stack.destroy(provider)


def test_an_existing_network_is_stood_in_and_outlives_the_stack(
    tmp_path: Path, provider: AlicloudProvider
) -> None:
    theirs = Stack(tmp_path / "theirs", project="network", name="theirs")
    outputs = {name: output.value for name, output in theirs.up(lambda: network(1), provider).outputs.items()}

    def program() -> None:
        adopted = Network(
            "net",
            NetworkArgs(
                cluster="demo",
                zones=ZONES[:1],
                vpc_id=str(outputs["vpc_id"]),
                vswitch_ids=[str(one) for one in outputs["vswitch_ids"]],  # type: ignore[attr-defined]
            ),
        )
        Firewall("wall", FirewallArgs(cluster="demo", vpc_id=adopted.vpc_id, gateway_port=8000))

    ours = Stack(tmp_path / "ours", project="steelyard", name="ours")
    made = ours.up(program, provider)
    assert made.num_by_type["alicloud:ecs/securityGroup:SecurityGroup"] == 1
    assert not [kind for kind in made.num_by_type if kind.startswith("alicloud:vpc/")]
    ours.destroy(provider)
    assert theirs.up(lambda: network(1), provider).has_changes is False
    theirs.destroy(provider)
