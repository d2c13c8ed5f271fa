"""Resource options, secrets, configuration and providers, as Pulumi's engine has them."""

from __future__ import annotations

from collections.abc import Callable

import pulumi
import pulumi_alicloud as alicloud
import pytest
from fake_cloud import NETWORK, FakeCloud
from pulumi import ResourceOptions

from steelyard.deploy import Secret, Stack
from steelyard.deploy.report import Result
from steelyard.errors import DeployError, ResourceError

Up = Callable[[Callable[[], object]], Result]


def network(name: str = "net", cidr: str = "10.0.0.0/8", **options: object) -> Callable[[], object]:
    def program() -> None:
        net = alicloud.vpc.Network(name, cidr_block=cidr, tags={"a": cidr}, opts=ResourceOptions(**options))
        pulumi.export("id", net.id)

    return program


def test_ignored_changes_keep_the_recorded_value(up: Up, cloud: FakeCloud) -> None:
    up(network())
    result = up(network(cidr="172.16.0.0/12", ignore_changes=["cidr_block", "tags"]))

    assert result.num_by_op == {"same": 1}
    assert up(network(ignore_changes=["tags"])).num_by_op == {"same": 1}


def test_replace_on_changes_turns_an_update_into_a_replacement(up: Up, cloud: FakeCloud) -> None:
    def program(role: str) -> Callable[[], object]:
        options = ResourceOptions(replace_on_changes=["tags.role"])
        return lambda: alicloud.ecs.Instance("node", tags={"role": role, "free": role}, opts=options)

    up(program("worker"))
    assert up(program("head")).num_by_op == {"replace": 1}
    assert cloud.ids("node") == ["node#2"]


def test_delete_before_replace_is_honoured_and_takes_dependents_first(up: Up, cloud: FakeCloud) -> None:
    def program(cidr: str) -> Callable[[], object]:
        def declare() -> None:
            first = ResourceOptions(delete_before_replace=True)
            net = alicloud.vpc.Network("net", cidr_block=cidr, opts=first)
            switch = alicloud.vpc.Switch("switch", vpc_id=net.id, cidr_block="10.1.0.0/16", zone_id="h")
            alicloud.ecs.Instance("node", vswitch_id=switch.id)

        return declare

    up(program("10.0.0.0/8"))
    cloud.log.clear()
    result = up(program("10.0.0.0/9"))

    # The switch cannot outlive its network; the instance can be moved.
    assert result.num_by_op == {"replace": 2, "update": 1}
    assert cloud.log[:2] == [("delete", "switch#2"), ("delete", "net#1")]
    assert [op for op, _ in cloud.log] == ["delete", "delete", "create", "create", "update"]


def test_two_replacements_that_share_a_dependent_delete_it_once(up: Up, cloud: FakeCloud) -> None:
    def program(zone: str) -> Callable[[], object]:
        def declare() -> None:
            first = ResourceOptions(delete_before_replace=True)
            switches = [alicloud.vpc.Switch(f"switch-{i}", zone_id=zone, opts=first) for i in range(4)]
            ids = pulumi.Output.all(*[switch.id for switch in switches])
            alicloud.ecs.Instance("node", user_data=ids.apply(str))

        return declare

    up(program("h"))
    cloud.log.clear()
    assert up(program("i")).num_by_op == {"replace": 5}
    assert cloud.done("delete")[0] == "node"
    assert sorted(cloud.done("delete")) == ["node", *(f"switch-{i}" for i in range(4))]


def test_a_dependent_that_went_with_its_support_and_is_declared_no_more_counts_as_deleted(
    up: Up, cloud: FakeCloud
) -> None:
    def program(cidr: str, *, has_switch: bool) -> Callable[[], object]:
        def declare() -> None:
            net = alicloud.vpc.Network(
                "net", cidr_block=cidr, opts=ResourceOptions(delete_before_replace=True)
            )
            if has_switch:
                alicloud.vpc.Switch("switch", vpc_id=net.id)

        return declare

    up(program("10.0.0.0/8", has_switch=True))
    result = up(program("10.0.0.0/9", has_switch=False))

    assert result.num_by_op == {"replace": 1, "delete": 1}
    assert cloud.ids("switch") == []


def test_a_protected_resource_is_neither_deleted_nor_replaced(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    up(network(protect=True))

    with pytest.raises(DeployError, match="protected resources are to be deleted"):
        stack.destroy(cloud)
    with pytest.raises(DeployError, match="protected"):
        up(lambda: None)
    with pytest.raises(DeployError, match="protected"):
        up(network(cidr="172.16.0.0/12"))
    assert cloud.ids("net") == ["net#1"]

    up(network(protect=False))
    assert stack.destroy(cloud).num_by_op == {"delete": 1}


def test_a_retained_resource_is_forgotten_and_stays_in_the_cloud(
    up: Up, stack: Stack, cloud: FakeCloud
) -> None:
    up(network(retain_on_delete=True))
    stack.destroy(cloud)

    assert stack.resources() == ()
    assert cloud.ids("net") == ["net#1"]


def test_an_alias_keeps_a_renamed_resource(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    up(network("old"))
    result = up(network("new", aliases=[pulumi.Alias(name="old")]))

    assert result.num_by_op == {"same": 1}
    assert [(r.name, r.id) for r in stack.resources()] == [("new", "old#1")]


def test_an_alias_of_a_component_passes_to_its_children(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    class Group(pulumi.ComponentResource):
        def __init__(self, name: str, opts: ResourceOptions | None = None) -> None:
            super().__init__("test:index:Group", name, None, opts)
            net = alicloud.vpc.Network(f"{name}-net", opts=ResourceOptions(parent=self))
            alicloud.vpc.Switch(f"{name}-switch", vpc_id=net.id, opts=ResourceOptions(parent=self))

    up(lambda: Group("old"))
    result = up(lambda: Group("new", ResourceOptions(aliases=[pulumi.Alias(name="old")])))

    assert result.num_by_op == {"same": 3}
    assert cloud.done("delete") == []
    assert sorted(r.name for r in stack.resources()) == ["new", "new-net", "new-switch"]
    stack.destroy(cloud)
    assert cloud.done("delete") == ["old-switch", "old-net"]


def test_a_child_takes_its_parents_type_into_its_urn(up: Up, stack: Stack) -> None:
    def program() -> None:
        net = alicloud.vpc.Network("net")
        alicloud.vpc.Switch("switch", opts=ResourceOptions(parent=net))

    up(program)
    urns = [resource.urn for resource in stack.resources()]
    assert urns == [
        f"urn:pulumi:test::steelyard::{NETWORK}::net",
        f"urn:pulumi:test::steelyard::{NETWORK}$alicloud:vpc/switch:Switch::switch",
    ]


def test_secrets_stay_secret_in_outputs_and_are_encrypted_in_the_state(
    stack: Stack, cloud: FakeCloud
) -> None:
    def program() -> None:
        token = pulumi.Config("steelyard").require_secret("token")
        node = alicloud.ecs.Instance("node", user_data=pulumi.Output.format("token={0}", token))
        pulumi.export("user_data", node.user_data)
        pulumi.export("nested", {"inner": [token]})
        pulumi.export("id", node.id)

    stack.up(program, cloud, config={"steelyard:token": Secret("hunter2")})

    assert cloud.live["node#1"]["userData"] == "token=hunter2"
    assert stack.outputs()["user_data"].is_secret
    assert stack.outputs()["user_data"].value == "[secret]"
    assert not stack.outputs()["id"].is_secret
    assert stack.outputs(show_secrets=True)["user_data"].value == "token=hunter2"
    assert stack.outputs(show_secrets=True)["nested"].value == {"inner": ["hunter2"]}
    assert stack.resources()[0].outputs["userData"] == "[secret]"
    for path in stack.directory.iterdir():
        assert b"hunter2" not in path.read_bytes()
        assert path.stat().st_mode & 0o777 == 0o600
    again = stack.up(program, cloud, config={"steelyard:token": Secret("hunter2")})
    assert again.num_by_op == {"same": 1}


def test_additional_secret_outputs_are_secret(up: Up, stack: Stack) -> None:
    def program() -> None:
        node = alicloud.ecs.Instance("node", opts=ResourceOptions(additional_secret_outputs=["private_ip"]))
        pulumi.export("ip", node.private_ip)

    up(program)
    assert stack.outputs()["ip"].is_secret
    assert stack.outputs(show_secrets=True)["ip"].value == "10.0.0.1"


def test_a_secret_that_is_a_secret_no_more_changes_nothing(up: Up, stack: Stack) -> None:
    def program(value: pulumi.Input[str]) -> Callable[[], object]:
        return lambda: pulumi.export("d", alicloud.vpc.Network("net", description=value).description)

    up(lambda: program(pulumi.Output.secret("same"))())
    assert stack.outputs()["d"].is_secret
    assert up(program("same")).num_by_op == {"same": 1}
    assert not stack.outputs()["d"].is_secret


def test_config_reaches_the_program_and_secret_keys_are_marked(stack: Stack, cloud: FakeCloud) -> None:
    seen: dict[str, object] = {}

    def program() -> None:
        config = pulumi.Config("steelyard")
        seen["name"] = config.require("name")
        seen["count"] = config.require_int("count")
        pulumi.export("token", config.require_secret("token"))

    stack.up(
        program,
        cloud,
        config={"steelyard:name": "demo", "steelyard:count": "3", "steelyard:token": Secret("s")},
    )
    assert seen == {"name": "demo", "count": 3}
    assert stack.outputs()["token"].is_secret


def test_the_program_knows_its_project_stack_and_whether_it_is_a_preview(
    stack: Stack, cloud: FakeCloud
) -> None:
    seen: list[tuple[str, str, bool]] = []

    def program() -> None:
        seen.append((pulumi.get_project(), pulumi.get_stack(), pulumi.runtime.is_dry_run()))

    stack.preview(program, cloud)
    stack.up(program, cloud)
    assert seen == [("steelyard", "test", True), ("steelyard", "test", False)]


def test_an_explicit_provider_is_configured_for_its_resources(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    def program(region: str) -> Callable[[], object]:
        def declare() -> None:
            provider = alicloud.Provider("there", region=region)
            alicloud.vpc.Network("net", opts=ResourceOptions(provider=provider))
            alicloud.get_zones(opts=pulumi.InvokeOptions(provider=provider))

        return declare

    assert stack.preview(program("cn-beijing"), cloud).num_by_op == {"create": 2}
    up(program("cn-beijing"))
    assert set(cloud.regions) == {"cn-beijing"}
    assert up(program("cn-beijing")).num_by_op == {"same": 2}
    # Another region is another place: what stood in the old one is made anew.
    assert up(program("cn-shanghai")).num_by_op == {"replace": 2}
    assert cloud.ids("net") == ["net#2"]
    stack.destroy(cloud)
    assert cloud.live == {}


def test_the_default_provider_takes_its_resources_to_another_region(stack: Stack) -> None:
    here, there = FakeCloud("cn-hangzhou"), FakeCloud("cn-beijing")
    stack.up(network(), here)
    there.live = here.live

    assert stack.up(network(), there).num_by_op == {"replace": 1}
    assert [resource.name for resource in stack.resources()] == ["net"]


def test_get_reads_what_is_not_ours_and_destroy_leaves_it(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    cloud.live["net#99"] = {"cidrBlock": "192.168.0.0/16"}

    def program() -> None:
        found = alicloud.vpc.Network.get("found", "net#99")
        pulumi.export("cidr", found.cidr_block)
        alicloud.vpc.Switch("switch", vpc_id=found.id)

    result = up(program)
    assert result.num_by_op == {"read": 1, "create": 1}
    assert stack.outputs()["cidr"].value == "192.168.0.0/16"
    stack.destroy(cloud)
    assert list(cloud.live) == ["net#99"]


def test_get_of_what_is_not_there_is_an_error(up: Up) -> None:
    with pytest.raises(ResourceError, match="'net#1' does not exist"):
        up(lambda: alicloud.vpc.Network.get("found", "net#1"))


def test_import_is_refused_by_name(up: Up) -> None:
    with pytest.raises(DeployError, match=r"'net' is to be imported \(net#7\)"):
        up(network(import_="net#7"))


def test_a_transform_is_refused(up: Up) -> None:
    options = ResourceOptions(transforms=[lambda args: None])
    with pytest.raises(Exception, match="does not support transforms"):
        up(lambda: alicloud.vpc.Network("net", opts=options))


def test_replace_with_and_trigger_force_a_replacement(up: Up, cloud: FakeCloud) -> None:
    def program(cidr: str, trigger: str) -> Callable[[], object]:
        def declare() -> None:
            net = alicloud.vpc.Network("net", cidr_block=cidr)
            alicloud.ecs.SecurityGroup("follows", opts=ResourceOptions(replace_with=[net]))
            alicloud.ecs.SecurityGroup("told", opts=ResourceOptions(replacement_trigger=trigger))

        return declare

    up(program("10.0.0.0/8", "one"))
    assert up(program("10.0.0.0/8", "two")).num_by_op == {"same": 2, "replace": 1}
    assert up(program("10.0.0.0/9", "two")).num_by_op == {"same": 1, "replace": 2}


def test_deleted_with_spares_the_call(up: Up, stack: Stack, cloud: FakeCloud) -> None:
    def program() -> None:
        net = alicloud.vpc.Network("net")
        alicloud.vpc.Switch("switch", vpc_id=net.id, opts=ResourceOptions(deleted_with=net))

    up(program)
    assert stack.destroy(cloud).num_by_op == {"delete": 2}
    assert cloud.done("delete") == ["net"]


def test_what_the_program_logs_is_kept(up: Up) -> None:
    def program() -> None:
        pulumi.log.warn("old class")
        net = alicloud.vpc.Network("net")
        pulumi.log.info("made", resource=net)

    messages = {message.text: message for message in up(program).messages}
    assert messages["old class"].severity == "warning"
    assert messages["made"].urn.endswith("::net")


def test_custom_timeouts_reach_the_provider(stack: Stack) -> None:
    class Listening(FakeCloud):
        timeouts: list[float | None] = []

        def create(self, type_token, name, inputs, operation):
            self.timeouts.append(operation.timeout_s)
            return super().create(type_token, name, inputs, operation)

        def delete(self, type_token, resource_id, inputs, operation):
            self.timeouts.append(operation.timeout_s)
            super().delete(type_token, resource_id, inputs, operation)

    cloud = Listening()
    stack.up(network(custom_timeouts=pulumi.CustomTimeouts(create="1m30s", delete="2h")), cloud)
    stack.destroy(cloud)
    assert cloud.timeouts == [90.0, 7200.0]
