from __future__ import annotations

from recording_monitor import Recording, record

from steelyard.components.network import Network, NetworkArgs


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
