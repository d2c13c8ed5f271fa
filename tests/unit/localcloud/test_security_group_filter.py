from __future__ import annotations

from dataclasses import MISSING, fields, replace
from ipaddress import IPv4Network

import pytest
from fake_host import FakeHost

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.hosts.packet_filter import FilterRule
from steelyard.localcloud.services.ecs import firewall
from steelyard.localcloud.services.ecs.firewall import Firewall, plan_filter
from steelyard.localcloud.services.ecs.models import Instance, SecurityGroup
from steelyard.localcloud.services.ecs.network_interface import NetworkInterface
from steelyard.localcloud.services.ecs.prefix_list import PrefixList

GROUP = SecurityGroup(
    id="sg-1",
    created_at=0.0,
    region_id="cn-hangzhou",
    vpc_id="vpc-1",
    name="",
    description="",
    group_type="normal",
    inner_access_policy="Drop",
    resource_group_id="",
)


def rule(direction: str = "ingress", **changes: str) -> dict[str, str]:
    return {
        "Direction": direction,
        "IpProtocol": "TCP",
        "PortRange": "80/90",
        "SourcePortRange": "-1/-1",
        "Policy": "Accept",
        "Priority": "1",
        **changes,
    }


def group(*rules: dict[str, str], **changes: str) -> SecurityGroup:
    return replace(GROUP, rules=rules, **changes)


def test_a_rule_says_protocol_ports_and_the_other_side():
    planned = plan_filter([group(rule(SourceCidrIp="10.1.2.3/16", SourcePortRange="5/6"))], {})
    network = IPv4Network("10.1.0.0/16")
    expected = FilterRule(accepts=True, protocol="tcp", network=network, ports=(80, 90), source_ports=(5, 6))
    assert planned.ingress == (expected,)
    assert planned.egress == ()


def test_a_rule_of_a_source_group_looks_its_members_up():
    planned = plan_filter(
        [group(rule(SourceGroupId="sg-2"))], {"sg-2": frozenset({"10.0.0.9"}), "sg-3": frozenset()}
    )
    assert planned.ingress[0].set_name == "sg-2"
    assert planned.sets == {"sg-2": frozenset({"10.0.0.9"})}


def test_a_group_without_members_is_an_empty_set():
    assert plan_filter([group(rule(SourceGroupId="sg-2"))], {}).sets == {"sg-2": frozenset()}


def test_rules_of_all_groups_go_by_priority_and_drop_comes_first():
    first = group(
        rule(SourceCidrIp="10.0.0.1/32", Priority="10"), rule(SourceCidrIp="10.0.0.2/32", Priority="2")
    )
    second = group(rule(SourceCidrIp="10.0.0.3/32", Priority="2", Policy="Drop"), id="sg-2")
    planned = plan_filter([first, second], {})
    assert [str(r.network) for r in planned.ingress] == ["10.0.0.3/32", "10.0.0.2/32", "10.0.0.1/32"]
    assert [r.accepts for r in planned.ingress] == [False, True, True]


def test_rules_of_all_protocols_have_no_ports():
    (planned,) = plan_filter(
        [group(rule(IpProtocol="ALL", PortRange="-1/-1", SourceCidrIp="0.0.0.0/0"))], {}
    ).ingress
    assert (planned.protocol, planned.ports) == ("", None)


def test_a_rule_of_a_prefix_list_is_one_for_each_of_its_ranges():
    ranges = (IPv4Network("10.0.0.0/8"), IPv4Network("192.0.2.7/32"))
    planned = plan_filter([group(rule(SourcePrefixListId="pl-1"))], {}, {"pl-1": ranges})
    assert tuple(one.network for one in planned.ingress) == ranges
    planned = plan_filter([group(rule("egress", DestPrefixListId="pl-1"))], {}, {"pl-1": ranges})
    assert tuple(one.network for one in planned.egress) == ranges


@pytest.mark.parametrize(
    "without_effect",
    [
        rule(IpProtocol="ICMPV6", SourceCidrIp="10.0.0.0/8"),
        rule(Ipv6SourceCidrIp="::/0"),
        rule(SourcePrefixListId="pl-1"),
    ],
)
def test_rules_of_what_is_not_here_let_nothing_in(without_effect):
    assert plan_filter([group(without_effect)], {}).ingress == ()


def test_egress_rules_look_at_the_destination():
    (planned,) = plan_filter([group(rule("egress", DestCidrIp="10.0.0.0/8"))], {}).egress
    assert planned.network == IPv4Network("10.0.0.0/8")


def test_a_basic_group_lets_its_members_in_after_its_rules():
    planned = plan_filter(
        [group(rule(SourceCidrIp="10.0.0.0/8", Policy="Drop"), inner_access_policy="Accept")], {}
    )
    assert planned.ingress[-1] == FilterRule(accepts=True, set_name="sg-1")
    assert planned.accepts_egress


def test_an_enterprise_group_lets_nothing_out_that_no_rule_allows():
    assert not plan_filter([group(group_type="enterprise")], {}).accepts_egress


class Scene:
    """A firewall over a host that remembers filters."""

    def __init__(self, cloud: Cloud) -> None:
        self.cloud = cloud
        self.host = FakeHost(enforces_security_groups=True)
        self.firewall = Firewall(cloud, self.host)

    def put(self, record: SecurityGroup | Instance | NetworkInterface | PrefixList) -> None:
        kinds = {
            PrefixList: self.firewall.prefix_lists,
            Instance: self.firewall.instances,
            NetworkInterface: self.firewall.interfaces,
            SecurityGroup: self.firewall.security_groups,
        }
        records = kinds[type(record)]
        with self.cloud.transaction():
            records.put(record)  # type: ignore[arg-type]


@pytest.fixture
def scene(bare_cloud):
    return Scene(bare_cloud)


def instance(name: str, address: str, **changes: object) -> Instance:
    # What a test does not look at is empty: annotations are texts here.
    asked = (field for field in fields(Instance) if field.default is MISSING)
    unused = {field.name: "" if field.type == "str" else 0 for field in asked}
    settings: dict[str, object] = {
        **unused,
        "id": name,
        "tags": {},
        "vpc_id": "vpc-1",
        "private_address": address,
        "security_group_ids": ("sg-1",),
        "status": "Running",
        "is_released": False,
        "has_deletion_protection": False,
        **changes,
    }
    return Instance(**settings)  # type: ignore[arg-type]


def interface(**changes: object) -> NetworkInterface:
    settings: dict[str, object] = {
        "id": "eni-1",
        "created_at": 0.0,
        "region_id": "cn-hangzhou",
        "zone_id": "cn-hangzhou-h",
        "vpc_id": "vpc-1",
        "vswitch_id": "vsw-1",
        "private_address": "10.0.1.1",
        "mac_address": "00:16:3e:00:00:01",
        "security_group_ids": ("sg-1",),
        "name": "",
        "description": "",
        "instance_id": "",
        "deletes_with_instance": True,
        "traffic_mode": "Standard",
        "checks_source": False,
        "resource_group_id": "",
        "attached_at": 0.0,
        **changes,
    }
    return NetworkInterface(**settings)  # type: ignore[arg-type]


def boot(scene: Scene, made: Instance) -> None:
    scene.put(made)
    scene.firewall.booted(made.id, scene.firewall.filter_of(made))


def test_a_new_member_is_let_in_by_those_that_run(scene):
    scene.put(group(inner_access_policy="Accept"))
    boot(scene, instance("i-1", "10.0.0.1"))
    assert scene.host.filters == {}  # It booted with what holds.
    boot(scene, instance("i-2", "10.0.0.2"))
    assert scene.host.filters["i-1"].sets == {"sg-1": frozenset({"10.0.0.1", "10.0.0.2"})}
    assert "i-2" not in scene.host.filters


def test_an_interface_is_a_member_while_an_instance_has_it_with_each_of_its_addresses(scene):
    scene.put(group(inner_access_policy="Accept"))
    boot(scene, instance("i-1", "10.0.0.1"))
    free = interface(security_group_ids=("sg-1",))
    scene.put(free)
    assert scene.host.filters == {}

    scene.put(replace(free, instance_id="i-9", secondary_addresses=("10.0.1.2",)))
    assert scene.host.filters["i-1"].sets["sg-1"] == {"10.0.0.1", "10.0.1.1", "10.0.1.2"}

    scene.put(free)
    assert scene.host.filters["i-1"].sets["sg-1"] == {"10.0.0.1"}


def test_an_instance_of_another_vpc_is_no_member(scene):
    scene.put(group(inner_access_policy="Accept"))
    boot(scene, instance("i-1", "10.0.0.1"))
    boot(scene, instance("i-2", "10.0.0.2", vpc_id="vpc-2"))
    assert scene.host.filters == {}


def test_instances_of_the_same_groups_are_planned_for_once(scene, monkeypatch):
    scene.put(group(inner_access_policy="Accept"))
    for number in range(3):
        boot(scene, instance(f"i-{number}", f"10.0.0.{number}"))
    planned: list[str] = []

    def plan(groups, *rest):
        planned.extend(one.id for one in groups)
        return plan_filter(groups, *rest)

    monkeypatch.setattr(firewall, "plan_filter", plan)
    scene.firewall.refresh()
    assert planned == ["sg-1"]


def test_a_change_while_an_instance_boots_is_caught_up_with(scene):
    scene.put(group())
    made = instance("i-1", "10.0.0.1")
    scene.put(made)
    planned = scene.firewall.filter_of(made)
    scene.put(group(rule(SourceCidrIp="10.0.0.0/8")))
    assert scene.host.filters == {}
    scene.firewall.booted("i-1", planned)
    assert len(scene.host.filters["i-1"].ingress) == 1


def test_a_change_of_status_changes_no_filter(scene):
    scene.put(group())
    made = instance("i-1", "10.0.0.1")
    boot(scene, made)
    scene.put(replace(made, status="Stopping"))
    scene.put(group(description="other words"))
    assert scene.host.filters == {}


def test_a_changed_prefix_list_is_in_force_on_those_that_run(scene):
    prefix_list = PrefixList(
        id="pl-1",
        created_at=0.0,
        region_id="cn-hangzhou",
        name="",
        description="",
        address_family="IPv4",
        max_entries=5,
        resource_group_id="",
        entries=({"Cidr": "10.0.0.0/8", "Description": ""},),
    )
    scene.put(prefix_list)
    scene.put(group(rule(SourcePrefixListId="pl-1")))
    boot(scene, instance("i-1", "10.0.0.1"))
    scene.put(replace(prefix_list, entries=({"Cidr": "172.16.0.0/12", "Description": ""},)))
    assert [one.network for one in scene.host.filters["i-1"].ingress] == [IPv4Network("172.16.0.0/12")]
    scene.put(replace(prefix_list, address_family="IPv6", entries=({"Cidr": "fd00::/8", "Description": ""},)))
    assert scene.host.filters["i-1"].ingress == ()


def test_a_change_that_was_undone_and_is_made_again_is_in_force(scene):
    scene.put(group())
    scene.put(group(rule(SourceCidrIp="10.0.0.0/8"), id="sg-2"))
    made = instance("i-1", "10.0.0.1")
    boot(scene, made)
    moved = replace(made, security_group_ids=("sg-2",))

    def change_in_vain() -> None:
        with scene.cloud.transaction():
            scene.firewall.instances.put(replace(made, security_group_ids=("sg-1", "sg-2")))
            scene.firewall.instances.put(moved)
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        change_in_vain()
    scene.put(moved)
    assert len(scene.host.filters["i-1"].ingress) == 1
