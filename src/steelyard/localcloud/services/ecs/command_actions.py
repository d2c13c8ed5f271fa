from __future__ import annotations

import base64
import binascii
import fnmatch
from dataclasses import replace

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import check, command_errors
from steelyard.localcloud.services.ecs.command import Command, CommandRun, Invocation, overall
from steelyard.localcloud.services.ecs.command_runner import CommandRunner
from steelyard.localcloud.services.ecs.instance_actions import both_pages
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.tag import has_tags, read_tags
from steelyard.localcloud.wire.error import invalid_parameter, not_served

MAX_CONTENT_BYTES = 24 * 1024
"""Of a command, decoded (help page of CreateCommand)."""
MAX_COMMANDS = 500
"""Commands of a region (help page "Limits" of Cloud Assistant, from memory)."""

_TIMEOUTS_S = range(10, 86400 + 1)


class CommandState(EcsState):
    """What the actions of Cloud Assistant share."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self.commands = Records(cloud.store, Command)
        self.invocations = Records(cloud.store, Invocation)
        self.command_runs = Records(cloud.store, CommandRun)
        self.command_runner = CommandRunner(cloud, self.host, self.command_runs)

    def start(self) -> None:
        """Finish the commands that ran when the last cloud ended, and take up the instances."""
        self.command_runner.resume()
        super().start()

    def stop(self) -> None:
        """Wait for no time limit any more, and end the instances."""
        self.command_runner.close()
        super().stop()

    def command(self, request: Request) -> Command:
        """Give the command that a call names.

        Raises:
            ApiError: `InvalidCmdId.NotFound`.
        """
        command = self.commands.get(request.text("CommandId"))
        if command is None or command.region_id != request.region_id:
            raise command_errors.command_not_found()
        return command

    def runs_of(self, invoke_id: str) -> list[CommandRun]:
        """Give what becomes of an invocation on each of its instances."""
        return [run for run in self.command_runs.list() if run.invoke_id == invoke_id]

    def read_command(self, request: Request, default_encoding: str, name: str) -> Command:
        """Read a new command.

        Args:
            request: The call.
            default_encoding: Of the content: `PlainText` or `Base64`.
            name: Its name.

        Raises:
            ApiError: For a type or a content that a command here cannot have.
        """
        kind = request.text("Type")
        if kind in ("RunBatScript", "RunPowerShellScript"):
            raise not_served(f"{kind}: instances run Linux")
        if kind != "RunShellScript":
            raise invalid_parameter("Type", kind, "RunShellScript")
        if request.text("Launcher"):
            raise not_served("Launcher; begin the script with #! instead")
        return Command(
            id=self.cloud.new_id("c"),
            created_at=self.cloud.clock(),
            tags=read_tags(request),
            region_id=request.region_id,
            name=name,
            description=check.read_description(request),
            content=read_content(request, default_encoding),
            working_dir=request.text("WorkingDir"),
            timeout_s=read_timeout(request, 60),
            has_parameters=request.flag("EnableParameter"),
            resource_group_id=request.text("ResourceGroupId"),
        )


class CommandActions(CommandState):
    """The commands of Cloud Assistant that are kept to be run."""

    @action("CreateCommand", optional=("RegionId",))
    def create_command(self, request: Request) -> dict[str, object]:
        """Keep a command."""
        is_full = self.commands.are_at_least(MAX_COMMANDS, "region_id", request.region_id)
        if self.cloud.terms.has_quotas and is_full:
            raise command_errors.too_many_commands()
        command = self.read_command(request, "Base64", _name(request))
        self.commands.put(command)
        return {"CommandId": command.id}

    @action("ModifyCommand", optional=("RegionId",))
    def modify_command(self, request: Request) -> dict[str, object]:
        """Change a command; what was run of it stays as it was."""
        command = self.command(request)
        content = read_content(request, "Base64") if "CommandContent" in request.params else command.content
        self.commands.put(
            replace(
                command,
                name=_name(request) if "Name" in request.params else command.name,
                description=check.read_description(request, command.description),
                content=content,
                working_dir=request.text("WorkingDir", command.working_dir),
                timeout_s=read_timeout(request, command.timeout_s),
            )
        )
        return {}

    @action("DescribeCommands", optional=("RegionId",))
    def describe_commands(self, request: Request) -> dict[str, object]:
        """List commands by id, name, description, type, resource group and tags."""
        tags, names = read_tags(request), ("CommandId", "Type", "Description", "ResourceGroupId")
        is_encoded = request.text("ContentEncoding") != "PlainText"
        counts = [one.command["id"] for one in self.invocations.list()]
        rows = [
            command.to_answer(num_invocations=counts.count(command.id), is_encoded=is_encoded)
            for command in self.commands.list()
            if command.region_id == request.region_id
            and has_tags(command.tags, tags)
            and fnmatch.fnmatchcase(command.name, request.text("Name") or "*")
        ]
        found = [row for row in rows if all(request.text(name) in ("", row[name]) for name in names)]
        page, head = both_pages(request, found)
        return {**head, "Commands": {"Command": list(page)}}

    @action("DeleteCommand", optional=("RegionId",))
    def delete_command(self, request: Request) -> dict[str, object]:
        """Delete a command that does not run."""
        command = self.command(request)
        runs = [run for run in self.command_runs.list() if run.command_id == command.id]
        if runs and overall(runs) == "Running":
            raise command_errors.command_runs()
        self.commands.delete(command.id)
        return {}


def read_content(request: Request, default_encoding: str) -> str:
    """Read `CommandContent` by its `ContentEncoding`, and give it in base64.

    Raises:
        ApiError: `CmdContent.DecodeError` or `CmdContent.ExceedLimit`.
    """
    encoding = check.read_choice(request, "ContentEncoding", ("PlainText", "Base64"), default_encoding)
    text = request.text("CommandContent")
    try:
        content = text.encode() if encoding == "PlainText" else base64.b64decode(text, validate=True)
    except binascii.Error:
        raise command_errors.content_not_base64() from None
    if len(content) > MAX_CONTENT_BYTES:
        raise command_errors.content_too_long(MAX_CONTENT_BYTES)
    return base64.b64encode(content).decode()


def read_timeout(request: Request, default: int) -> int:
    """Read `Timeout`, in seconds.

    Raises:
        ApiError: `InvalidParameter`.
    """
    timeout_s = request.number("Timeout", default)
    if timeout_s not in _TIMEOUTS_S:
        raise invalid_parameter("Timeout", timeout_s, f"from {_TIMEOUTS_S.start} to {_TIMEOUTS_S.stop - 1}")
    return timeout_s


def _name(request: Request) -> str:
    name = request.text("Name")
    if not 1 <= len(name) <= 128:
        raise invalid_parameter("Name", name, "from 1 to 128 characters long")
    return name
