from __future__ import annotations

from recording_monitor import Recording, record

from steelyard.components.network import Network, NetworkArgs
from steelyard.components.program import declare
from steelyard.spec import ClusterSpec


def test_a_vswitch_stands_in_each_zone_on_a_range_of_its_own(demo: Recording) -> None:
    vpc = demo.the("vpc/network:Network")
    assert vpc.inputs == {
        "vpcName": "demo-vpc",
        "cidrBlock": "10.64.0.0/16",
        "tags": {"steelyard:cluster": "demo"},
    }
    assert [one.inputs for one in demo.of_type(":Switch")] == [
        {
            "vswitchName": f"demo-{zone}",
            "vpcId": f"{vpc.name}-id",
            "zoneId": zone,
            "cidrBlock": cidr,
            "tags": {"steelyard:cluster": "demo"},
        }
        for zone, cidr in (("cn-hangzhou-h", "10.64.0.0/20"), ("cn-hangzhou-i", "10.64.16.0/20"))
    ]


def test_a_zone_added_later_leaves_the_other_vswitches_alone() -> None:
    def declared(*zones: str) -> Recording:
        cidrs = ["10.0.0.0/20", "10.0.16.0/20", "10.0.32.0/20"][: len(zones)]
        args = NetworkArgs(cluster="demo", cidr="10.0.0.0/16", zones=zones, vswitch_cidrs=cidrs)
        return record(lambda: Network("net", args))

    before, after = declared("z-a", "z-b").shape(), declared("z-a", "z-b", "z-c").shape()
    assert {urn: after[urn] for urn in before} == before
    assert [urn.rpartition("::")[2] for urn in after.keys() - before.keys()] == ["net-vswitch-z-c"]


def test_a_vswitch_leaves_before_its_successor_takes_its_range(demo: Recording) -> None:
    assert all(one.deletes_before_replace for one in demo.of_type(":Switch"))


def test_a_nat_gateway_lets_each_vswitch_out_by_one_address(behind_nat: Recording) -> None:
    tags = {"steelyard:cluster": "demo"}
    gateway, address = behind_nat.the(":NatGateway"), behind_nat.the(":EipAddress")
    assert gateway.inputs == {
        "natGatewayName": "demo-nat",
        "vpcId": "demo-network-vpc-id",
        "vswitchId": "demo-network-vswitch-cn-hangzhou-h-id",
        "natType": "Enhanced",
        "networkType": "internet",
        "paymentType": "PayAsYouGo",
        "internetChargeType": "PayByLcu",
        "tags": tags,
    }
    assert address.inputs == {
        "addressName": "demo-egress",
        "bandwidth": "100",
        "internetChargeType": "PayByTraffic",
        "paymentType": "PayAsYouGo",
        "tags": tags,
    }
    association = behind_nat.the(":EipAssociation")
    assert association.inputs == {
        "allocationId": f"{address.name}-id",
        "instanceId": f"{gateway.name}-id",
        "instanceType": "Nat",
    }
    assert [one.inputs for one in behind_nat.of_type(":SnatEntry")] == [
        {
            "snatEntryName": f"demo-{zone}",
            "snatTableId": "stb-1",
            "snatIp": "203.0.113.1",
            "sourceVswitchId": f"demo-network-vswitch-{zone}-id",
        }
        for zone in ("cn-hangzhou-h", "cn-hangzhou-i")
    ]
    assert all(association.urn in one.dependencies for one in behind_nat.of_type(":SnatEntry"))
    assert {behind_nat.parent_of(one).type for one in (gateway, address, association)} == {
        "steelyard:index:Egress"
    }
    assert behind_nat.exports["egress_address"] == "203.0.113.1"


def test_a_node_that_fetches_its_packages_by_the_nat_gateway_waits_for_it(behind_nat: Recording) -> None:
    entries = {one.urn for one in behind_nat.of_type(":SnatEntry")}
    assert all(entries <= node.dependencies for node in behind_nat.of_type(":Instance"))
    assert all(node.inputs["internetMaxBandwidthOut"] == 0 for node in behind_nat.of_type(":Instance"))


def test_nodes_with_public_addresses_need_no_gateway() -> None:
    recording = record(lambda: declare(ClusterSpec(name="demo", network={"egress": "public"}), "f" * 64))
    assert recording.of_type(":NatGateway") == []
    for node in recording.of_type(":Instance"):
        assert (node.inputs["internetMaxBandwidthOut"], node.inputs["internetChargeType"]) == (
            100,
            "PayByTraffic",
        )


def test_an_existing_network_is_stood_in_and_nothing_of_it_is_made() -> None:
    network = {"vpc_id": "vpc-theirs", "vswitch_ids": ["vsw-a", "vsw-b"]}
    recording = record(lambda: declare(ClusterSpec(name="demo", network=network), "f" * 64))
    made = {one.type for one in recording.resources.values() if one.is_custom}
    assert not {kind for kind in made if kind.startswith("alicloud:vpc/")}
    assert recording.the(":SecurityGroup").inputs["vpcId"] == "vpc-theirs"
    assert recording.the(":ApplicationLoadBalancer").inputs["vswitchId"] == "vsw-a"
    assert [node.inputs["vswitchId"] for node in recording.of_type(":Instance")] == ["vsw-a", "vsw-b"]
    assert recording.exports["vpc_id"] == "vpc-theirs"
