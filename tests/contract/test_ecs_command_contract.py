"""Cloud Assistant: commands that are run in instances as real processes; by the vendor's SDK."""

from __future__ import annotations

import base64

import pytest
from alibabacloud_ecs20140526 import models
from alibabacloud_ecs20140526.client import Client
from contract_fleet import REGION, encoded
from contract_sdk import refused, wait_for
from contract_servers import Servers


class Assistant:
    """Calls of Cloud Assistant."""

    def __init__(self, client: Client) -> None:
        self.client, self.made = client, []

    def run(self, script: str, *ids: str, **settings: object) -> str:
        request = models.RunCommandRequest(
            **{
                "region_id": REGION,
                "type": "RunShellScript",
                "command_content": script,
                "instance_id": list(ids),
                **settings,
            }
        )
        told = self.client.run_command(request).body
        if settings.get("keep_command"):
            self.made.append(told.command_id)
        return told.invoke_id

    def create(self, script: str, **settings: object) -> str:
        request = models.CreateCommandRequest(
            **{
                "region_id": REGION,
                "type": "RunShellScript",
                "name": "look",
                "command_content": encoded(script),
                **settings,
            }
        )
        self.made.append(self.client.create_command(request).body.command_id)
        return self.made[-1]

    def invoke(self, command_id: str, *ids: str, **settings: object) -> str:
        request = models.InvokeCommandRequest(
            region_id=REGION, command_id=command_id, instance_id=list(ids), **settings
        )
        return self.client.invoke_command(request).body.invoke_id

    def commands(self, **filters: object):
        request = models.DescribeCommandsRequest(region_id=REGION, **filters)
        return self.client.describe_commands(request).body.commands.command

    def results(self, **filters: object):
        request = models.DescribeInvocationResultsRequest(region_id=REGION, **filters)
        found = self.client.describe_invocation_results(request).body
        return found.invocation.invocation_results.invocation_result

    def invocations(self, **filters: object):
        request = models.DescribeInvocationsRequest(region_id=REGION, **filters)
        return self.client.describe_invocations(request).body.invocations.invocation

    def finished(self, invoke_id: str):
        """Wait until an invocation has ended, and give what it did on its one instance."""
        (result,) = wait_for(
            lambda: self.results(invoke_id=invoke_id), lambda found: found[0].invocation_status != "Running"
        )
        return result

    def delete(self, command_id: str) -> None:
        self.client.delete_command(models.DeleteCommandRequest(region_id=REGION, command_id=command_id))

    def stop(self, invoke_id: str, *ids: str) -> None:
        self.client.stop_invocation(
            models.StopInvocationRequest(region_id=REGION, invoke_id=invoke_id, instance_id=list(ids) or None)
        )


@pytest.fixture
def node(servers: Servers) -> str:
    """An instance that runs, for commands that leave it as it is."""
    return servers.ids[0]


@pytest.fixture
def assistant(ecs_client: Client):
    assistant = Assistant(ecs_client)
    yield assistant
    for command in assistant.commands(max_results=100):
        assistant.delete(command.command_id)


def text(result) -> str:
    return base64.b64decode(result.output).decode()


class TestRun:
    def test_a_script_runs_in_the_home_of_its_instance_with_its_environment(self, fleet, assistant):
        (instance_id,) = fleet.run("#!/bin/bash\necho made by user data > note\nexec sleep 1000\n")
        wait_for(
            lambda: text(assistant.finished(assistant.run("cat note", instance_id))),
            lambda seen: seen == "made by user data\n",
        )
        script = 'curl -s "$STEELYARD_METADATA_URL/latest/meta-data/instance-id"; echo; echo oh no >&2'
        result = assistant.finished(assistant.run(script, instance_id))
        assert text(result) == f"{instance_id}\noh no\n"
        assert (result.exit_code, result.invocation_status, result.invoke_record_status) == (
            0,
            "Success",
            "Finished",
        )
        assert (result.error_code, result.dropped) == ("", 0)

    def test_one_with_an_interpreter_of_its_own_is_run_by_that(self, node, assistant):
        script = "#!/usr/bin/env python3\nimport sys\nprint(sum(range(10)))\nsys.exit(3)\n"
        result = assistant.finished(assistant.run(script, node))
        assert (text(result), result.exit_code, result.invocation_status) == ("45\n", 3, "Failed")

    def test_it_runs_on_several_instances_each_of_which_tells(self, fleet, assistant):
        ids = fleet.run(amount=2, tag=[models.RunInstancesRequestTag(key="role", value="told")])
        tag = [models.RunCommandRequestResourceTag(key="role", value="told")]
        script = f'test "$(basename "$(dirname "$PWD")")" = {ids[0]}'
        invoke_id = assistant.run(script, instance_id=None, resource_tag=tag)
        found = wait_for(
            lambda: assistant.results(invoke_id=invoke_id),
            lambda rows: all(row.invocation_status != "Running" for row in rows),
        )
        assert {row.instance_id: row.exit_code for row in found} == {ids[0]: 0, ids[1]: 1}
        (invocation,) = assistant.invocations(invoke_id=invoke_id)
        assert invocation.invocation_status == "PartialFailed"
        assert [one.instance_id for one in assistant.results(invoke_id=invoke_id, instance_id=ids[1])] == [
            ids[1]
        ]

    def test_what_it_leaves_in_the_background_ends_with_it(self, node, assistant):
        script = '(setsid sleep 1000 & echo $! > "$HOME/left")\n'
        assistant.finished(assistant.run(script, node))
        ask = 'if kill -0 "$(cat left)" 2>/dev/null; then echo alive; else echo gone; fi'
        assert text(assistant.finished(assistant.run(ask, node))) == "gone\n"

    def test_its_output_is_told_while_it_runs_and_of_a_long_one_the_newest(self, node, assistant):
        invoke_id = assistant.run("echo begun; sleep 1000", node)
        (result,) = wait_for(
            lambda: assistant.results(invoke_id=invoke_id), lambda found: text(found[0]) == "begun\n"
        )
        assert (result.invocation_status, result.exit_code) == ("Running", None)
        (plain,) = assistant.results(invoke_id=invoke_id, content_encoding="PlainText")
        assert plain.output == "begun\n"

        long = assistant.finished(assistant.run("seq 1 10000", node))
        assert text(long).endswith("9999\n10000\n")
        assert len(text(long)) == 24 * 1024
        assert long.dropped == len("".join(f"{number}\n" for number in range(1, 10001))) - 24 * 1024

    def test_it_is_stopped_on_request_with_all_of_its_processes(self, node, assistant):
        invoke_id = assistant.run('echo $$ > "$HOME/mine"; sleep 1000 & wait', node)
        ask = 'kill -0 "$(cat mine)" && echo alive || echo gone'
        wait_for(lambda: text(assistant.finished(assistant.run(ask, node))), lambda seen: "alive" in seen)
        assistant.stop(invoke_id)
        result = assistant.finished(invoke_id)
        assert (result.invocation_status, result.invoke_record_status) == ("Terminated", "Stopped")
        assert result.stop_time
        assert "gone" in text(assistant.finished(assistant.run(ask, node)))
        with refused("InvalidInvokeId.NotFound", 404):
            assistant.stop("t-nowhere")

    def test_it_ends_with_its_instance(self, fleet, assistant):
        (instance_id,) = fleet.run()
        invoke_id = assistant.run("sleep 1000", instance_id)
        fleet.ecs_client.stop_instance(models.StopInstanceRequest(instance_id=instance_id, force_stop=True))
        result = assistant.finished(invoke_id)
        assert (result.invocation_status, result.error_code) == ("Failed", "InstanceNotRunning")
        fleet.wait_status(instance_id, "Stopped")

        result = assistant.finished(assistant.run("true", instance_id))
        assert (result.invocation_status, result.error_code) == ("Failed", "InstanceNotRunning")

    def test_a_folder_that_is_not_there_is_told(self, node, assistant):
        assert text(assistant.finished(assistant.run("pwd", node, working_dir="/usr"))) == "/usr\n"
        result = assistant.finished(assistant.run("pwd", node, working_dir="/no/such/folder"))
        assert (result.invocation_status, result.error_code) == ("Failed", "DirectoryNotExists")

    @pytest.mark.parametrize(
        ("settings", "code", "status"),
        [
            ({"type": "RunPowerShellScript"}, "UnsupportedOperation", 400),
            ({"type": "RunSomething"}, "InvalidParameter", 400),
            ({"repeat_mode": "EveryReboot"}, "UnsupportedOperation", 400),
            ({"timed": True, "frequency": "rate(1m)"}, "UnsupportedOperation", 400),
            ({"username": "nobody"}, "UnsupportedOperation", 400),
            ({"container_name": "box"}, "UnsupportedOperation", 400),
            ({"launcher": "python3 -u {{ACS::ScriptFileName}}"}, "UnsupportedOperation", 400),
            ({"timeout": 5}, "InvalidParameter", 400),
            ({"content_encoding": "Morse"}, "InvalidContentEncoding.ValueNotSupported", 400),
            ({"content_encoding": "Base64", "command_content": "%"}, "CmdContent.DecodeError", 403),
            ({"command_content": "a" * (24 * 1024 + 1)}, "CmdContent.ExceedLimit", 403),
            ({"instance_id": ["i-nowhere"]}, "InvalidInstance.NotFound", 404),
            ({"instance_id": None}, "MissingParameter", 400),
            ({"instance_id": [f"i-{number}" for number in range(101)]}, "NumberExceed.InstanceIds", 403),
            ({"parameters": {"a": "b"}}, "ParameterDisabled", 403),
        ],
    )
    def test_what_cannot_be_is_refused(self, node, assistant, settings, code, status):
        with refused(code, status):
            assistant.run("true", node, **settings)


class TestCommands:
    def test_one_is_kept_run_changed_and_deleted(self, node, assistant):
        command_id = assistant.create(
            "echo {{word}} and {{ word }}", enable_parameter=True, description="why"
        )
        (command,) = assistant.commands(name="lo*")
        assert (command.command_id, command.description, command.invoke_times) == (command_id, "why", 0)
        assert command.parameter_names.parameter_name == ["word"]
        invoke_id = assistant.invoke(command_id, node, parameters={"word": "peace"})
        assert text(assistant.finished(invoke_id)) == "peace and peace\n"

        assistant.client.modify_command(
            models.ModifyCommandRequest(
                region_id=REGION, command_id=command_id, name="other", command_content=encoded("echo new")
            )
        )
        (command,) = assistant.commands(command_id=command_id, content_encoding="PlainText")
        assert (command.name, command.command_content, command.invoke_times) == ("other", "echo new", 1)
        (invocation,) = assistant.invocations(command_id=command_id, include_output=True)
        assert base64.b64decode(invocation.command_content).decode() == "echo {{word}} and {{ word }}"
        (told,) = invocation.invoke_instances.invoke_instance
        assert base64.b64decode(told.output).decode() == "peace and peace\n"
        (invocation,) = assistant.invocations(invoke_id=invoke_id)
        assert invocation.invoke_instances.invoke_instance[0].output is None

        assistant.delete(command_id)
        with refused("InvalidCmdId.NotFound", 404):
            assistant.invoke(command_id, node)

    def test_a_parameter_needs_a_value(self, node, assistant):
        command_id = assistant.create("echo {{word}}", enable_parameter=True)
        with refused("InvalidParameter.Parameters", 403):
            assistant.invoke(command_id, node)

    def test_one_that_runs_is_not_deleted(self, node, assistant):
        command_id = assistant.create("sleep 1000")
        invoke_id = assistant.invoke(command_id, node)
        with refused("InvalidCmdId.Invoking", 403):
            assistant.delete(command_id)
        assistant.stop(invoke_id, node)
        assistant.finished(invoke_id)

    def test_what_was_run_at_once_is_kept_on_request(self, node, assistant):
        assistant.finished(assistant.run("true", node))
        assert assistant.commands() == []
        assistant.finished(assistant.run("true", node, keep_command=True, name="kept"))
        assert [command.name for command in assistant.commands()] == ["kept"]

    def test_a_region_keeps_five_hundred(self, ecs_client):
        region = "eu-central-1"
        request = models.CreateCommandRequest(
            region_id=region, type="RunShellScript", name="one", command_content=encoded("true")
        )
        made = [ecs_client.create_command(request).body.command_id for _ in range(500)]
        with refused("CmdCount.ExceedQuota", 403):
            ecs_client.create_command(request)
        for command_id in made:
            ecs_client.delete_command(models.DeleteCommandRequest(region_id=region, command_id=command_id))

    def test_a_name_is_needed(self, assistant):
        with refused("InvalidParameter", text="Name"):
            assistant.create("true", name="n" * 129)


def test_the_assistant_answers_where_an_instance_runs(fleet, assistant):
    running, stopped = fleet.run(amount=2)
    fleet.ecs_client.stop_instance(models.StopInstanceRequest(instance_id=stopped, force_stop=True))
    fleet.wait_status(stopped, "Stopped")
    assistant.finished(assistant.run("true", running))
    request = models.DescribeCloudAssistantStatusRequest(region_id=REGION, instance_id=[running, stopped])
    rows = assistant.client.describe_cloud_assistant_status(
        request
    ).body.instance_cloud_assistant_status_set.instance_cloud_assistant_status
    told = {row.instance_id: (row.cloud_assistant_status, row.invocation_count) for row in rows}
    assert told == {running: ("true", 1), stopped: ("false", 0)}
