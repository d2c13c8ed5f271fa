"""A stand-in for the Pulumi CLI, with Steelyard's embedded engine inside of it.

It is called as the CLI is: by Pulumi's Automation API, with the same commands. It runs the inline program over the same
language protocol (`--client`), streams the same events (`--event-log tcp://…`), and keeps its stack where
PULUMI_BACKEND_URL says. What is not Pulumi's own in it is the engine and the provider, which create the resources on
the cloud that ALIBABA_CLOUD_ENDPOINT_ECS names. Every call is noted in the file that STAND_IN_CALLS names.
"""

from __future__ import annotations

import json
import os
import queue
import sys
import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlparse

VERSION = "v3.250.0"
PROJECT = "steelyard"
OPS = {"replace": "create-replacement"}


def main(words: list[str]) -> int:
    if words == ["version"]:
        print(os.environ.get("STAND_IN_VERSION", VERSION))
        return 0
    told = {name: value for name, value in os.environ.items() if name.startswith(("PULUMI_", "ALICLOUD_"))}
    with Path(os.environ["STAND_IN_CALLS"]).open("a") as calls:
        calls.write(json.dumps([words, told]) + "\n")
    words = [word for word in words if word != "--non-interactive"]
    folder = Path(urlparse(os.environ["PULUMI_BACKEND_URL"]).path)
    if words[:2] == ["stack", "init"]:
        (folder / f"{words[2]}.config").write_text("{}")
        return 0
    name = words[words.index("--stack") + 1] if "--stack" in words else words[-1]
    config = folder / f"{name}.config"
    if not config.exists():
        print(f"error: no stack named '{name}' found", file=sys.stderr)
        return 255
    if words[:2] == ["config", "set"]:
        config.write_text(json.dumps({**json.loads(config.read_text()), words[2]: words[-1]}))
        return 0
    if words[0] == "stack" and words[1] != "rm":
        return tell(words, folder, name)
    if words[:2] == ["stack", "rm"]:
        config.unlink()
        return 0
    return operate(words, folder, name, json.loads(config.read_text()))


def tell(words: list[str], folder: Path, name: str) -> int:
    """Print what is asked of a stack."""
    if words[1] == "select":
        return 0
    if words[1] == "history":
        moment = "2026-01-01T00:00:00.000Z"
        entry = {"kind": "update", "message": "", "environment": {}, "config": {}, "result": "succeeded"}
        print(json.dumps([{**entry, "startTime": moment, "endTime": moment}]))
        return 0
    from steelyard.deploy import Stack
    from steelyard.deploy.values import secret

    stack = Stack(folder, project=PROJECT, name=name)
    outputs = stack.outputs(show_secrets="--show-secrets" in words)
    if words[1] == "output":
        print(json.dumps({key: output.value for key, output in outputs.items()}))
        return 0
    resources = [
        {"urn": item.urn, "type": item.type, "custom": bool(item.id), "id": item.id, "outputs": item.outputs}
        for item in stack.resources()
        if item.type != "pulumi:pulumi:Stack"
    ]
    exports = {key: secret(one.value) if one.is_secret else one.value for key, one in outputs.items()}
    root_urn = f"urn:pulumi:{name}::{PROJECT}::pulumi:pulumi:Stack::{PROJECT}-{name}"
    root = {"urn": root_urn, "type": "pulumi:pulumi:Stack", "custom": False, "outputs": exports}
    print(json.dumps({"version": 3, "deployment": {"resources": [root, *resources]}}))
    return 0


def operate(words: list[str], folder: Path, name: str, config: Mapping[str, str]) -> int:
    """Carry out `preview`, `up`, `refresh` or `destroy`."""
    from steelyard.deploy import AlicloudProvider, ProcessProgram, Stack

    provider = AlicloudProvider(
        endpoint=os.environ["ALIBABA_CLOUD_ENDPOINT_ECS"],
        access_key_id=os.environ["ALICLOUD_ACCESS_KEY"],
        access_key_secret=os.environ["ALICLOUD_SECRET_KEY"],
        region_id=config["alicloud:region"],
    )
    stack = Stack(folder, project=PROJECT, name=name)
    client = next((word.removeprefix("--client=") for word in words if word.startswith("--client=")), "")
    os.environ["STAND_IN_CLIENT"] = client
    relay = Path(os.environ["STAND_IN_RELAY"])
    program = ProcessProgram(interpreter=relay, folder=folder, entry=folder, root=folder)
    with Events(words[words.index("--event-log") + 1]) as events:
        try:
            if words[0] == "preview":
                result = stack.preview(program, provider, refresh="--refresh" in words)
                for item in result.planned:
                    events.inputs[item.urn] = item.inputs
                for step in result.steps:
                    events(step)
            elif words[0] == "up":
                stack.up(program, provider, on_step=events)
            elif words[0] == "refresh":
                stack.refresh(provider, on_step=events)
            else:
                stack.destroy(provider, on_step=events)
        except Exception as err:  # noqa: BLE001 - as the CLI does: the words go to the events and the error output
            events.send({"diagnosticEvent": {"message": str(err), "severity": "error", "color": "raw"}})
            print(f"error: update failed: {err}", file=sys.stderr)
            return 255
    return 0


class Events:
    """Sends engine events as the CLI does: a gRPC stream to the Automation API."""

    def __init__(self, address: str) -> None:
        import grpc
        from pulumi.runtime.proto import events_pb2_grpc

        self.inputs: dict[str, Mapping[str, Any]] = {}
        self._queue: queue.Queue[dict[str, Any] | None] = queue.Queue()
        self._channel = grpc.insecure_channel(address.removeprefix("tcp://"))
        stub = events_pb2_grpc.EventsStub(self._channel)
        self._sender = threading.Thread(target=lambda: stub.StreamEvents(self._requests()))

    def __enter__(self) -> Events:
        self._sender.start()
        return self

    def __exit__(self, *error: object) -> None:
        self.send({"summaryEvent": {"maybeCorrupt": False, "durationSeconds": 1, "resourceChanges": {}}})
        self.send({"cancelEvent": {}})
        self._queue.put(None)
        self._sender.join()
        self._channel.close()

    def __call__(self, step: Any) -> None:
        op = OPS.get(step.op, step.op)
        state = {
            "urn": step.urn,
            "type": step.type,
            "custom": step.type.startswith("alicloud:"),
            "inputs": dict(self.inputs.get(step.urn, {})),
        }
        metadata = {
            "metadata": {"op": op, "urn": step.urn, "type": step.type, "new": state, "diffs": list(step.diff)}
        }
        if step.status == "started" or step.op == "same" or self.inputs:
            self.send({"resourcePreEvent": metadata})
        if step.status == "failed":
            said = {"urn": step.urn, "message": step.error, "severity": "error", "color": "raw"}
            self.send({"diagnosticEvent": said})
            self.send({"resOpFailedEvent": metadata})
        elif step.status == "done" and state["custom"]:
            self.send({"resOutputsEvent": metadata})

    def send(self, event: dict[str, Any]) -> None:
        self._queue.put(event)

    def _requests(self) -> Iterator[Any]:
        from pulumi.runtime.proto import events_pb2

        number = 0
        while (event := self._queue.get()) is not None:
            number += 1
            yield events_pb2.EventRequest(event=json.dumps({"sequence": number, **event}))


def relay() -> int:
    """Let the inline program run against the engine, in place of a program of a project's own."""
    import grpc
    from pulumi.runtime.proto import language_pb2, language_pb2_grpc

    order = json.loads(sys.stdin.readline())
    with grpc.insecure_channel(os.environ["STAND_IN_CLIENT"]) as channel:
        answer = language_pb2_grpc.LanguageRuntimeStub(channel).Run(
            language_pb2.RunRequest(
                project=order["project"],
                stack=order["stack"],
                config=order["config"],
                configSecretKeys=order["secret_keys"],
                dryRun=order["is_preview"],
                parallel=order["parallel"],
                monitor_address=order["address"],
                args=[order["address"]],
                organization="organization",
            )
        )
    print(answer.error)
    return 1 if answer.error else 0


if __name__ == "__main__":
    raise SystemExit(relay() if sys.argv[1] == "--relay" else main(sys.argv[1:]))
