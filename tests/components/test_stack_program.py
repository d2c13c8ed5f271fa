from __future__ import annotations

import json
import runpy
from pathlib import Path
from typing import Any

import pulumi
import pytest
import yaml
from recording_monitor import Recording, record

from steelyard.components.program import declare
from steelyard.spec import ClusterSpec

ROOT = Path(__file__).parents[2]
TOKEN = "f" * 64


def run_main(**settings: Any) -> Recording:
    """Run the repository's program as the Pulumi CLI does, with some config keys."""
    config = {"steelyard:token": TOKEN, "alicloud:region": "cn-hangzhou"}
    for key, value in settings.items():
        config[f"steelyard:{key}"] = value if isinstance(value, str) else json.dumps(value)
    return record(
        lambda: runpy.run_path(str(ROOT), run_name="__main__"),
        config={key: value for key, value in config.items() if value != "null"},
    )


def test_the_program_declares_what_steelyard_up_declares(demo: Recording) -> None:
    program = run_main(name="demo")
    assert program.shape() == demo.shape()
    assert program.exports == demo.exports
    assert program.secret_exports == demo.secret_exports


def test_every_setting_of_a_spec_goes_through_the_config() -> None:
    values: dict[str, Any] = {
        "name": "big",
        "target": "alicloud",
        "region": "cn-hangzhou",
        "zones": ["cn-hangzhou-k", "cn-hangzhou-h", "cn-hangzhou-i"],
        "network": {
            "cidr": "172.16.0.0/12",
            "vswitch_cidrs": ["172.16.0.0/20", "172.17.0.0/20", "172.18.0.0/20"],
        },
        "node_groups": [
            {
                "name": "fast",
                "count": 3,
                "instance_type": "ecs.ebmgn10x.64xlarge",
                "image": "m-bp1",
                "weight": 90,
            },
            {"name": "slow", "count": 1, "disk": {"category": "cloud_auto", "size_gib": 40}, "weight": 10},
        ],
        "load_balancer": {
            "kind": "classic",
            "address_type": "internet",
            "scheduler": "rr",
            "listeners": [{"port": 443, "protocol": "https"}],
            "sticky_session_s": 60,
            "deletion_protection": True,
            "tls": {"certificate_id": "1234_5", "policy": "tls_cipher_policy_1_2_strict"},
            "health_check": {"path": "/ready", "interval_s": 1, "timeout_s": 2, "unhealthy_threshold": 2},
        },
        "gateway_port": 9000,
        "access": {
            "admin_cidrs": ["203.0.113.7/32"],
            "egress_cidrs": ["198.51.100.0/24"],
            "open_to_world": True,
        },
        "node_role": {"enabled": False},
        "node_package": {"version": "1.2.3", "index_url": "https://pypi.example.com/simple/"},
        "checkpoints": {"kind": "oss", "bucket": "big-runs", "prefix": "a/b", "keep_deleted_days": 90},
        "monitoring": {"report_every_s": 0},
        "budget": {"max_hourly_cost": 12.5},
    }
    assert values.keys() == ClusterSpec.model_fields.keys()
    spec = ClusterSpec.model_validate(values)
    assert run_main(**values).shape() == record(lambda: declare(spec, TOKEN)).shape()


def test_a_missing_token_names_the_command_that_sets_it() -> None:
    with pytest.raises(pulumi.RunError, match="pulumi config set --secret steelyard:token"):
        run_main(name="demo", token=None)


def test_every_mistake_is_told_by_its_config_key() -> None:
    with pytest.raises(pulumi.RunError) as caught:
        run_main(name="Demo", region="cn-beijing", node_groups=[{"name": "workers", "weight": 101}], zone="a")
    text = str(caught.value)
    for key in (
        "steelyard:name:",
        "steelyard:region:",
        "steelyard:node_groups[0].weight:",
        "steelyard:zone:",
    ):
        assert key in text


def test_the_region_follows_the_provider() -> None:
    config = {"steelyard:token": TOKEN, "steelyard:name": "demo", "alicloud:region": "cn-beijing"}
    recording = record(lambda: runpy.run_path(str(ROOT), run_name="__main__"), config=config)
    assert [one.inputs["zoneId"] for one in recording.of_type(":Switch")] == ["cn-beijing-k", "cn-beijing-l"]


def test_a_region_that_is_not_the_providers_is_refused_with_the_mend() -> None:
    with pytest.raises(pulumi.RunError, match="pulumi config set alicloud:region cn-beijing"):
        run_main(name="demo", region="cn-beijing")


class TestProjectFile:
    @pytest.fixture
    def text(self) -> str:
        return (ROOT / "Pulumi.yaml").read_text()

    def test_it_names_every_setting(self, text: str) -> None:
        def leaves(value: Any, path: str) -> list[str]:
            if isinstance(value, dict):
                return [
                    leaf
                    for key, one in value.items()
                    for leaf in leaves(one, f"{path}.{key}" if path else key)
                ]
            return [path]

        example = ClusterSpec(name="demo").model_dump(mode="json")
        example["node_groups"] = example["load_balancer"]["listeners"] = None
        scalars = {"name", "target", "region", "gateway_port"}
        for leaf in leaves(example, ""):
            assert leaf in scalars or f"steelyard:{leaf}" in text, leaf
        for group_leaf in leaves(ClusterSpec(name="demo").node_groups[0].model_dump(), ""):
            assert f"steelyard:node_groups[0].{group_leaf}" in text
        for listener_leaf in ("port", "protocol"):
            assert f"steelyard:load_balancer.listeners[0].{listener_leaf}" in text

    def test_its_defaults_are_those_of_the_spec(self, text: str) -> None:
        config = yaml.safe_load(text)["config"]
        spec = ClusterSpec(name="demo", target="alicloud")
        for key in config.keys() & ClusterSpec.model_fields.keys() - {"name"}:
            assert config[key]["default"] == getattr(spec, key)
        assert config["token"]["secret"] is True
        assert config["alicloud:region"] == spec.region

    def test_it_declares_settings_as_pulumi_allows(self, text: str) -> None:
        config = yaml.safe_load(text)["config"]
        assert config.pop("alicloud:region") == "cn-hangzhou"  # of another namespace a value alone is allowed
        for key, declared in config.items():
            assert ":" not in key
            assert declared.keys() <= {"type", "items", "description", "secret", "default"}
            assert declared["type"] in ("string", "integer", "boolean", "array")
