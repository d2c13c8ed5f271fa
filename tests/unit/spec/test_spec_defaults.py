from __future__ import annotations

from pathlib import Path

import pytest
import yaml
from pydantic import ValidationError

from steelyard.errors import UsageError
from steelyard.spec import ClusterSpec, NodeGroupSpec, SpecError, load_spec


@pytest.fixture
def write(tmp_path: Path):
    def to_file(text: str | bytes) -> Path:
        path = tmp_path / "cluster.yaml"
        path.write_bytes(text.encode() if isinstance(text, str) else text)
        return path

    return to_file


def test_a_file_that_holds_a_name_alone_is_valid(write) -> None:
    spec = load_spec(write("name: demo\n"))
    assert spec == ClusterSpec(name="demo")
    assert spec.model_dump(mode="json") == {
        "name": "demo",
        "target": "local",
        "region": "cn-hangzhou",
        "zones": ["cn-hangzhou-h", "cn-hangzhou-i"],
        "network": {
            "cidr": "10.64.0.0/16",
            "vswitch_cidrs": [],
            "vpc_id": None,
            "vswitch_ids": [],
            "egress": "none",
        },
        "node_groups": [
            {
                "name": "workers",
                "count": 2,
                "instance_type": "ecs.gn7i-c8g1.2xlarge",
                "image": "ubuntu_24_04",
                "head": False,
                "disk": {"category": "cloud_essd", "size_gib": 100},
                "data_disks": [],
                "spot": {"enabled": False, "max_price": None, "interruption": "terminate"},
                "placement": "none",
                "rdma": False,
                "scaling": {
                    "min": 0,
                    "max": 0,
                    "cooldown_s": 300,
                    "on_demand_base": 0,
                    "on_demand_percent": None,
                    "drain_timeout_s": 600,
                    "target_cpu_percent": 0,
                    "steps": [],
                    "reported": [],
                    "schedules": [],
                    "alarm_mails": [],
                },
                "weight": 100,
            }
        ],
        "load_balancer": {
            "kind": "classic",
            "address_type": "intranet",
            "scheduler": "wrr",
            "weights": "given",
            "drain_timeout_s": 0,
            "slow_start_s": 0,
            "sticky_session_s": 0,
            "access_cidrs": [],
            "deletion_protection": False,
            "tls": {
                "certificate_id": None,
                "certificate_file": None,
                "key_file": None,
                "policy": "tls_cipher_policy_1_2",
                "ca_file": None,
                "server_name": None,
            },
            "listeners": [{"port": 8000, "protocol": "http"}],
            "rules": [],
            "health_check": {
                "path": "/healthz",
                "interval_s": 2,
                "timeout_s": 5,
                "healthy_threshold": 3,
                "unhealthy_threshold": 3,
            },
        },
        "gateway_port": 8000,
        "access": {
            "admin_cidrs": [],
            "egress_cidrs": [],
            "open_to_world": False,
            "key_pair": None,
            "public_key": None,
        },
        "node_role": {"enabled": True},
        "node_package": {"version": None, "index_url": None},
        "checkpoints": {
            "kind": "none",
            "bucket": None,
            "prefix": "checkpoints",
            "keep_deleted_days": 30,
            "force_destroy": False,
            "nas_storage": "Performance",
        },
        "monitoring": {"report_every_s": 0},
        "budget": {"max_hourly_cost": None},
    }


def test_the_example_shows_every_setting_at_its_default() -> None:
    path = Path(__file__).parents[3] / "examples" / "cluster.yaml"
    assert load_spec(path) == ClusterSpec(name="demo")
    assert yaml.safe_load(path.read_text()) == ClusterSpec(name="demo").model_dump(mode="json")


def test_all_settings_are_read(write) -> None:
    text = """
name: big
target: alicloud
region: cn-beijing
zones: [cn-beijing-l, cn-beijing-k, cn-beijing-i]
network: {cidr: 172.16.0.0/12}
node_groups:
  - {name: fast, count: 4, instance_type: ecs.gn99x-c8g1.2xlarge, image: aliyun_3, weight: 90}
  - {name: slow, disk: {size_gib: 40}, weight: 0}
load_balancer:
  address_type: internet
  scheduler: rr
  access_cidrs: [203.0.113.0/24]
  listeners: [{port: 80}, {port: 8080}]
access: {admin_cidrs: [203.0.113.0/24]}
"""
    spec = load_spec(write(text))
    assert spec.num_nodes == 6
    assert spec.zones == ("cn-beijing-l", "cn-beijing-k", "cn-beijing-i")
    assert spec.vswitch_cidrs == ("172.16.0.0/16", "172.17.0.0/16", "172.18.0.0/16")
    assert [group.disk.size_gib for group in spec.node_groups] == [100, 40]
    assert [listener.port for listener in spec.load_balancer.listeners] == [80, 8080]


def test_the_zones_follow_the_region(write) -> None:
    assert load_spec(write("name: demo\nregion: eu-west-1\n")).zones == ("eu-west-1a", "eu-west-1b")
    assert load_spec(write("name: demo\nregion: me-east-1\n")).zones == ("me-east-1a",)


def test_own_ranges_of_vswitches_are_taken_as_they_are(write) -> None:
    text = "name: demo\nnetwork: {cidr: 10.0.0.0/16, vswitch_cidrs: [10.0.8.0/24, 10.0.9.0/24]}\n"
    assert load_spec(write(text)).vswitch_cidrs == ("10.0.8.0/24", "10.0.9.0/24")


def test_a_byte_order_mark_and_windows_lines_do_no_harm(write) -> None:
    assert load_spec(write(b"\xef\xbb\xbfname: demo\r\ngateway_port: 9000\r\n")).gateway_port == 9000


def test_aliases_are_read(write) -> None:
    text = (
        "name: demo\nnode_groups:\n- {name: fast, disk: &disk {size_gib: 50}}\n- {name: slow, disk: *disk}\n"
    )
    assert load_spec(write(text)).node_groups[1].disk.size_gib == 50


def test_a_spec_is_frozen() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ClusterSpec(name="demo").name = "other"  # type: ignore[misc]


def test_a_spec_made_in_python_is_checked_as_a_whole() -> None:
    with pytest.raises(ValidationError, match="is not a zone of cn-hangzhou"):
        ClusterSpec(name="demo", zones=("cn-beijing-a",))
    with pytest.raises(ValidationError, match="stands twice"):
        ClusterSpec(name="demo", node_groups=(NodeGroupSpec(name="aa"), NodeGroupSpec(name="aa")))


def test_a_file_that_is_not_there_is_said_with_the_mend(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="there is no cluster file") as caught:
        load_spec(tmp_path / "absent.yaml")
    assert "`name: demo` is enough" in caught.value.hint
    assert not isinstance(caught.value, SpecError)


def test_a_folder_is_no_cluster_file(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="cannot be read"):
        load_spec(tmp_path)


def test_optional_text_may_be_left_out_in_words(write) -> None:
    spec = load_spec(write("name: demo\nnode_package: {version: 1.2.3, index_url: null}\n"))
    assert (spec.node_package.version, spec.node_package.index_url) == ("1.2.3", None)


def test_a_zone_that_is_not_listed_may_exist_on_alibaba_cloud(write) -> None:
    text = "name: demo\nregion: cn-hangzhou\nzones: [cn-hangzhou-z, cn-hangzhou-i]\n"

    assert load_spec(write(text + "target: alicloud\n")).zones == ("cn-hangzhou-z", "cn-hangzhou-i")
    with pytest.raises(SpecError, match="`cn-hangzhou-z` is not a zone of cn-hangzhou"):
        load_spec(write(text))
    with pytest.raises(SpecError, match="`cn-beijing-a` is not a zone of cn-hangzhou"):
        load_spec(write(text.replace("-z", "-h").replace("hangzhou-h", "beijing-a") + "target: alicloud\n"))


def test_a_network_load_balancer_listens_to_tcp_unless_it_is_told_otherwise(write) -> None:
    spec = load_spec(
        write("name: demo\nload_balancer: {kind: network, scheduler: wlc, drain_timeout_s: 30}\n")
    )
    assert [(one.port, one.protocol) for one in spec.load_balancer.listeners] == [(8000, "tcp")]
    assert (spec.load_balancer.scheduler, spec.load_balancer.drain_timeout_s) == ("wlc", 30)


def test_a_network_load_balancer_wants_more_addresses_of_every_zone(write) -> None:
    text = "name: demo\nnetwork: {cidr: 10.0.0.0/16, vswitch_cidrs: [10.0.0.0/28, 10.0.1.0/28]}\n"
    group = "node_groups: [{name: workers, count: 8}]\n"
    assert load_spec(write(text + group)).num_nodes == 8
    with pytest.raises(SpecError, match="the zone wants 13 addresses"):
        load_spec(write(f"{text}{group}load_balancer: {{kind: network}}\n"))
