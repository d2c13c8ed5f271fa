"""A stand-in for the Pulumi CLI: it keeps two resources in a file, and writes their events as the CLI does.

It runs no program and calls no provider. It is there for the seams around the real one: how it is called, what is read
from its event log and its state, and what its exit codes become.
"""

from __future__ import annotations

import json
import os
import sys
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

VERSION = "v3.200.0"  # of those that write events to a file
URN = "urn:pulumi:{stack}::steelyard::{kind}::{name}"
RESOURCES = (
    ("alicloud:vpc/network:Network", "demo-vpc", "vpc-1"),
    ("alicloud:ram/role:Role", "demo-role", "demo-role"),
)
EXPORTS = {
    "vpc_id": "vpc-1",
    "gateway_token": {"4dabf18193072939515e22adb298388d": "1b47061264138c4ac30d75fd1eb44270"},
}


class Backend:
    """The stack's file in the folder that PULUMI_BACKEND_URL names."""

    def __init__(self) -> None:
        url = urlparse(os.environ["PULUMI_BACKEND_URL"])
        self.file = Path(url.path) / "stack.json"

    def load(self) -> dict[str, Any]:
        loaded: dict[str, Any] = json.loads(self.file.read_text())
        return loaded

    def save(self, stack: dict[str, Any]) -> None:
        self.file.write_text(json.dumps(stack))


def main(words: list[str]) -> int:
    if words == ["version"]:
        print(VERSION)
        return 0
    with Path(os.environ["FAKE_PULUMI_CALLS"]).open("a") as calls:
        calls.write(json.dumps([words, _told()]) + "\n")
    words = [word for word in words if word != "--non-interactive"]
    backend = Backend()
    if words[:2] == ["stack", "init"]:
        backend.save({"name": words[2], "resources": [], "config": {}})
        return 0
    if not backend.file.exists():
        print(f"error: no stack named '{words[-1]}' found", file=sys.stderr)
        return 255
    return _with_stack(words, backend)


def _with_stack(words: list[str], backend: Backend) -> int:
    stack = backend.load()
    if words[0] in ("up", "preview", "destroy", "refresh"):
        return _operate(words, stack, backend)
    if words[:2] == ["config", "set"]:
        stack["config"][words[2]] = words[-1]
        backend.save(stack)
    elif words[:2] == ["stack", "export"]:
        stack_urn = URN.format(stack=stack["name"], kind="pulumi:pulumi:Stack", name="steelyard-demo")
        root = {
            "urn": stack_urn,
            "type": "pulumi:pulumi:Stack",
            "custom": False,
            "outputs": stack.get("exports"),
        }
        print(json.dumps({"version": 3, "deployment": {"resources": [root, *stack["resources"]]}}))
    elif words[:2] == ["stack", "output"]:
        token = "secret" if "--show-secrets" in words else "[secret]"
        print(json.dumps({"vpc_id": "vpc-1", "gateway_token": token}))
    elif words[:2] == ["stack", "history"]:
        moment = "2026-01-01T00:00:00.000Z"
        entry = {"kind": "update", "message": "", "environment": {}, "config": {}, "result": "succeeded"}
        print(json.dumps([{**entry, "startTime": moment, "endTime": moment}]))
    elif words[:2] == ["stack", "rm"]:
        backend.file.unlink()
    return 0


def _operate(words: list[str], stack: dict[str, Any], backend: Backend) -> int:
    verb = words[0]
    log = Path(words[words.index("--event-log") + 1])
    standing = {item["urn"] for item in stack["resources"]}
    op_by_verb = {"destroy": "delete", "refresh": "same"}
    events: list[dict[str, Any]] = []
    failing = os.environ.get("FAKE_PULUMI_FAILS")
    for kind, name, resource_id in RESOURCES:
        urn = URN.format(stack=stack["name"], kind=kind, name=name)
        if verb in op_by_verb and urn not in standing:
            continue
        op = op_by_verb.get(verb) or ("same" if urn in standing else "create")
        state = {"urn": urn, "type": kind, "custom": True, "id": resource_id}
        metadata = {"metadata": {"op": op, "urn": urn, "type": kind, "new": state}}
        events.append({"resourcePreEvent": metadata})
        if name == failing and verb == "up":
            said = {"urn": urn, "message": "EntityAlreadyExists.Role\n", "severity": "error", "color": "raw"}
            events += [{"diagnosticEvent": said}, {"resOpFailedEvent": metadata}]
            continue
        events.append({"resOutputsEvent": metadata})
        if op == "create" and verb == "up":
            stack["resources"].append(state)
        if op == "delete":
            stack["resources"] = [item for item in stack["resources"] if item["urn"] != urn]
    if verb == "up":
        stack["exports"] = EXPORTS
    if verb != "preview":
        backend.save(stack)
    events += [{"summaryEvent": {"resourceChanges": {}}}, {"cancelEvent": {}}]
    log.write_text("".join(json.dumps({"sequence": i, **event}) + "\n" for i, event in enumerate(events)))
    return 255 if failing and verb == "up" else 0


def _told() -> dict[str, str]:
    """Return what the call was told in variables."""
    return {name: value for name, value in os.environ.items() if name.startswith(("PULUMI_", "ALICLOUD_"))}


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
