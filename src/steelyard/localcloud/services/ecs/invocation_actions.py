from __future__ import annotations

from collections.abc import Mapping
from functools import partial

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import command_errors, models
from steelyard.localcloud.services.ecs.command import RUNNING, TERMINATED, Command, CommandRun, Invocation
from steelyard.localcloud.services.ecs.command_actions import CommandState, read_timeout
from steelyard.localcloud.services.ecs.instance_actions import both_pages
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.text import utc_text
from steelyard.localcloud.wire.error import missing_parameter, not_served

MAX_INSTANCES = 100
"""Instances of one invocation (help page of RunCommand)."""
_MAX_INVOCATIONS, _MAX_RUNS = 500, 1000

_UNSERVED = ("ContainerId", "ContainerName", "OssOutputDelivery", "WindowsPasswordName", "Frequency")


class InvocationActions(CommandState):
    """The running of commands on instances, each as a real process in its instance's home and network."""

    # The schema calls the command's own parameters required, which belong to the API's older form.
    @action("RunCommand", optional=("RegionId",))
    def run_command(self, request: Request) -> dict[str, object]:
        """Run a script on instances at once; with `KeepCommand` it can be run again."""
        command = self.read_command(request, "PlainText", request.text("Name"))
        if request.flag("KeepCommand"):
            self.commands.put(command)
        return {"CommandId": command.id, "InvokeId": self._invoke(request, command)}

    @action("InvokeCommand", optional=("RegionId",))
    def invoke_command(self, request: Request) -> dict[str, object]:
        """Run a command that is kept on instances."""
        return {"InvokeId": self._invoke(request, self.command(request))}

    @action("StopInvocation", optional=("RegionId",))
    def stop_invocation(self, request: Request) -> dict[str, object]:
        """Kill what still runs of an invocation, on some instances or on all."""
        invoke_id, wanted = request.text("InvokeId"), request.texts("InstanceId")
        if self.invocations.get(invoke_id) is None:
            raise command_errors.invocation_not_found()
        for run in self.runs_of(invoke_id):
            if run.status == RUNNING and (not wanted or run.instance_id in wanted):
                self.cloud.after_commit(partial(self.command_runner.end, run.id, TERMINATED))
        return {}

    @action("DescribeInvocations", optional=("RegionId",))
    def describe_invocations(self, request: Request) -> dict[str, object]:
        """List invocations by id, command, instance, status and tags."""
        tags, has_output = read_tags(request), request.flag("IncludeOutput")
        is_encoded = request.text("ContentEncoding") != "PlainText"
        names = {
            "InvokeId": "InvokeId",
            "CommandId": "CommandId",
            "CommandName": "CommandName",
            "CommandType": "CommandType",
            "InvokeStatus": "InvokeStatus",
        }
        rows = []
        for invocation in self.invocations.list():
            runs = [self.command_runner.output(run) for run in self.runs_of(invocation.id)]
            if invocation.region_id != request.region_id or not has_tags(invocation.tags, tags):
                continue
            if request.text("InstanceId") not in ("", *(run.instance_id for run in runs)):
                continue
            row = invocation.to_answer(runs, has_output=has_output, is_encoded=is_encoded)
            if all(request.text(name) in ("", row[field]) for name, field in names.items()):
                rows.append(row)
        page, head = both_pages(request, rows)
        return {**head, "Invocations": {"Invocation": list(page)}}

    @action("DescribeInvocationResults", optional=("RegionId",))
    def describe_invocation_results(self, request: Request) -> dict[str, object]:
        """List what has become of commands on instances, by invocation, command, instance and status."""
        is_encoded = request.text("ContentEncoding") != "PlainText"
        names = ("InvokeId", "CommandId", "InstanceId", "InvokeRecordStatus")
        rows = [
            self.command_runner.output(run).to_answer(is_encoded=is_encoded)
            for run in self.command_runs.list()
        ]
        found = [row for row in rows if all(request.text(name) in ("", row[name]) for name in names)]
        page, head = both_pages(request, found)
        return {"Invocation": {**head, "InvocationResults": {"InvocationResult": list(page)}}}

    @action("DescribeCloudAssistantStatus", optional=("RegionId",))
    def describe_cloud_assistant_status(self, request: Request) -> dict[str, object]:
        """List whether commands can be run on instances: on those that run."""
        ids, runs = request.texts("InstanceId"), self.command_runs.list()
        found = [
            one
            for one in self.instances.list()
            if one.region_id == request.region_id and (not ids or one.id in ids)
        ]
        page, head = both_pages(request, found)
        rows = [
            self._status(instance, [run for run in runs if run.instance_id == instance.id])
            for instance in page
        ]
        return {**head, "InstanceCloudAssistantStatusSet": {"InstanceCloudAssistantStatus": rows}}

    def _status(self, instance: Instance, runs: list[CommandRun]) -> dict[str, object]:
        is_running = instance.status == models.RUNNING
        return {
            "InstanceId": instance.id,
            "CloudAssistantStatus": str(is_running).lower(),
            "CloudAssistantVersion": "",
            "OSType": "Linux",
            "SupportSessionManager": False,
            "ActiveTaskCount": sum(run.status == RUNNING for run in runs),
            "InvocationCount": len(runs),
            "LastInvokedTime": utc_text(max(run.created_at for run in runs)) if runs else "",
            "LastHeartbeatTime": utc_text(self.cloud.clock()) if is_running else "",
        }

    def _invoke(self, request: Request, command: Command) -> str:
        self._refuse_unserved(request)
        script = command.filled(_parameters(request, command))
        instances = self._targets(request)
        invocation = Invocation(
            id=self.cloud.new_id("t"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            command=command.to_body(),
            parameters=_parameters(request, command),
            username=request.text("Username"),
            timeout_s=read_timeout(request, command.timeout_s),
        )
        self.invocations.put(invocation)
        working_dir = request.text("WorkingDir") or command.working_dir
        for instance in instances:
            run = CommandRun(
                id=f"{invocation.id}/{instance.id}",
                created_at=invocation.created_at,
                invoke_id=invocation.id,
                instance_id=instance.id,
                command_id=command.id,
                username=invocation.username,
                status=RUNNING,
            )
            self.command_runs.put(run)
            self.cloud.after_commit(
                partial(self.command_runner.start, run, script, working_dir, invocation.timeout_s)
            )
        self.cloud.store.trim(Invocation.kind, _MAX_INVOCATIONS)
        self.cloud.store.trim(CommandRun.kind, _MAX_RUNS)
        return invocation.id

    def _refuse_unserved(self, request: Request) -> None:
        request.refuse_unserved(*_UNSERVED)
        if request.flag("Timed") or request.text("RepeatMode", "Once") != "Once":
            raise not_served("commands that are repeated (RepeatMode, Timed)")
        if request.text("Username", "root") != "root":
            raise not_served(f"commands of another user: {request.text('Username')}")

    def _targets(self, request: Request) -> list[Instance]:
        """Give the instances that a call names by ids or by tags."""
        ids, tags = list(dict.fromkeys(request.texts("InstanceId"))), read_tags(request, "ResourceTag")
        if not ids and not tags:
            raise missing_parameter("InstanceId")
        if len(ids) > MAX_INSTANCES:
            raise command_errors.too_many_instances(MAX_INSTANCES)
        found = [
            instance
            for instance in (self.instances.named(ids) if ids else self.instances.list())
            if instance.region_id == request.region_id
            and not instance.is_released
            and has_tags(instance.tags, tags)
        ]
        if not found or len(found) < len(ids):
            raise command_errors.instances_not_found()
        return found


def _parameters(request: Request, command: Command) -> dict[str, str]:
    """Read the values of a command's parameters."""
    given: Mapping[str, object] = request.params.get("Parameters") or {}  # type: ignore[assignment]
    if given and not command.has_parameters:
        raise command_errors.parameters_disabled()
    missing = next((name for name in command.parameter_names if name not in given), None)
    if missing is not None:
        raise command_errors.parameter_missing(missing)
    return {name: str(given[name]) for name in command.parameter_names}
