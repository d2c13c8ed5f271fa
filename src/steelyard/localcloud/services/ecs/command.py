"""Commands of Cloud Assistant, and what becomes of them on the instances that they are run on."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.tag import tag_rows
from steelyard.localcloud.text import utc_text

RUNNING, SUCCESS, FAILED, TIMEOUT, TERMINATED = "Running", "Success", "Failed", "Timeout", "Terminated"
MAX_OUTPUT_BYTES = 24 * 1024
"""Of an output more is not kept: the newest stays (help page of DescribeInvocationResults)."""

_PARAMETER = re.compile(r"\{\{\s*([A-Za-z0-9_-]+)\s*\}\}")
# What the API's older fields call the same.
_OLDER = {SUCCESS: "Finished", TERMINATED: "Stopped", TIMEOUT: "Failed"}


@dataclass(frozen=True, kw_only=True)
class Command(Record):
    """A shell script that can be run on instances.

    Attributes:
        content: The script, in base64.
        working_dir: Where it runs; the instance's home where it is empty.
        has_parameters: Whether `{{name}}` in it stands for a parameter.
    """

    kind: ClassVar[str] = "command"

    region_id: str
    name: str
    description: str
    content: str
    working_dir: str
    timeout_s: int
    has_parameters: bool
    resource_group_id: str

    @property
    def parameter_names(self) -> list[str]:
        """The parameters that it has, each once."""
        return list(dict.fromkeys(_PARAMETER.findall(self.script))) if self.has_parameters else []

    @property
    def script(self) -> str:
        """The script, as text."""
        return base64.b64decode(self.content).decode(errors="replace")

    def filled(self, parameters: Mapping[str, str]) -> str:
        """Give the script with its parameters' values."""
        if not self.has_parameters:
            return self.script
        return _PARAMETER.sub(lambda found: parameters[found[1]], self.script)

    def to_answer(self, *, num_invocations: int, is_encoded: bool) -> dict[str, object]:
        """Give the fields of DescribeCommands."""
        return {
            "CommandId": self.id,
            "Name": self.name,
            "Description": self.description,
            "Type": "RunShellScript",
            "CommandContent": self.content if is_encoded else self.script,
            "WorkingDir": self.working_dir,
            "Timeout": self.timeout_s,
            "EnableParameter": self.has_parameters,
            "ParameterNames": {"ParameterName": self.parameter_names},
            "CreationTime": utc_text(self.created_at),
            "InvokeTimes": num_invocations,
            "Latest": True,
            "Version": 1,
            "Category": "",
            "Provider": "",
            "ResourceGroupId": self.resource_group_id,
            "Tags": {"Tag": tag_rows(self.tags)},
        }


@dataclass(frozen=True, kw_only=True)
class CommandRun(Record):
    """A command on one instance; its id is that of the invocation, a slash and the instance's.

    Attributes:
        exit_code: None while it runs, and where it was ended.
        output: The newest of it, in base64.
        dropped: Bytes of the output that are not kept.
    """

    kind: ClassVar[str] = "command_run"

    invoke_id: str
    instance_id: str
    command_id: str
    username: str
    status: str
    exit_code: int | None = None
    output: str = ""
    dropped: int = 0
    finished_at: float = 0.0
    error_code: str = ""
    error_info: str = ""

    @property
    def older_status(self) -> str:
        """What the API's older fields call its status."""
        return _OLDER.get(self.status, self.status)

    def to_answer(self, *, is_encoded: bool) -> dict[str, object]:
        """Give the fields that DescribeInvocations and DescribeInvocationResults tell of an instance."""
        finished = utc_text(self.finished_at) if self.finished_at else ""
        text = base64.b64decode(self.output).decode(errors="replace")
        return {
            "InvokeId": self.invoke_id,
            "InstanceId": self.instance_id,
            "CommandId": self.command_id,
            "Username": self.username,
            "InvocationStatus": self.status,
            "InvokeRecordStatus": self.older_status,
            "InstanceInvokeStatus": self.older_status,
            "ExitCode": self.exit_code,
            "Output": self.output if is_encoded else text,
            "Dropped": self.dropped,
            "CreationTime": utc_text(self.created_at),
            "StartTime": utc_text(self.created_at),
            "FinishTime": finished,
            "FinishedTime": finished,
            "StopTime": finished if self.status == TERMINATED else "",
            "ErrorCode": self.error_code,
            "ErrorInfo": self.error_info,
            "Repeats": 1 if self.finished_at else 0,
            "Timed": False,
        }


@dataclass(frozen=True, kw_only=True)
class Invocation(Record):
    """One call that ran a command on instances, with the command as it was.

    Attributes:
        command: The command's fields.
        parameters: Values by name.
    """

    kind: ClassVar[str] = "command_invocation"

    region_id: str
    command: Mapping[str, object]
    parameters: Mapping[str, str] = field(default_factory=dict)
    username: str = ""
    timeout_s: int = 60

    def to_answer(
        self, runs: Sequence[CommandRun], *, has_output: bool, is_encoded: bool
    ) -> dict[str, object]:
        """Give the fields of DescribeInvocations."""
        command = Command.from_body(self.command)
        status = overall(runs)
        rows = [run.to_answer(is_encoded=is_encoded) for run in runs]
        return {
            "InvokeId": self.id,
            "CommandId": command.id,
            "CommandName": command.name,
            "CommandDescription": command.description,
            "CommandType": "RunShellScript",
            "CommandContent": command.content if is_encoded else command.script,
            "WorkingDir": command.working_dir,
            "Timeout": self.timeout_s,
            "Username": self.username,
            "Parameters": json.dumps(dict(self.parameters)),
            "RepeatMode": "Once",
            "Frequency": "",
            "Timed": False,
            "CreationTime": utc_text(self.created_at),
            "InvocationStatus": status,
            "InvokeStatus": _OLDER.get(status, status),
            "InvokeInstances": {
                "InvokeInstance": [
                    row if has_output else {name: value for name, value in row.items() if name != "Output"}
                    for row in rows
                ]
            },
            "Tags": {"Tag": tag_rows(self.tags)},
        }


def overall(runs: Sequence[CommandRun]) -> str:
    """Give what an invocation's status is by those of its instances."""
    statuses = {run.status for run in runs}
    if RUNNING in statuses:
        return RUNNING
    if statuses <= {SUCCESS}:
        return SUCCESS
    if SUCCESS in statuses:
        return "PartialFailed"
    return TERMINATED if TERMINATED in statuses else FAILED
