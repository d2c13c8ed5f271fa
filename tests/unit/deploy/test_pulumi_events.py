"""The Pulumi CLI's engine events, told as steps."""

from __future__ import annotations

from typing import Any

from pulumi.automation import CommandError, EngineEvent

from steelyard.deploy import Step
from steelyard.deploy.automation.event import EventTranslator
from steelyard.deploy.automation.stack import _failure

VPC = "urn:pulumi:demo::steelyard::steelyard:index:Network$alicloud:vpc/network:Network::demo-vpc"
NETWORK = "urn:pulumi:demo::steelyard::steelyard:index:Network::demo"
PROVIDER = "urn:pulumi:demo::steelyard::pulumi:providers:alicloud::default_4_0_0"


class Log:
    """Feeds events as the CLI writes them, and keeps what was told."""

    def __init__(self) -> None:
        self.told: list[Step] = []
        self.translator = EventTranslator(self.told.append)
        self._number = 0

    def __call__(self, kind: str, urn: str = "", op: str = "", **more: Any) -> None:
        self._number += 1
        event: dict[str, Any] = {"sequence": self._number, "timestamp": 1700000000}
        if urn and kind != "diagnosticEvent":
            type_token = urn.split("::")[2].rsplit("$", 1)[-1]
            state = {"type": type_token, "urn": urn, "custom": "steelyard:index" not in type_token}
            event[kind] = {"metadata": {"op": op, "urn": urn, "type": type_token, "new": state, **more}}
        else:
            event[kind] = {**({"urn": urn} if urn else {}), **more}
        self.translator(EngineEvent.from_json(event))

    @property
    def ended(self) -> list[tuple[str, str, str]]:
        return [(step.name, step.op, step.status) for step in self.translator.result().steps]

    @property
    def counts(self) -> dict[str, int]:
        return self.translator.result().num_by_op


def test_a_resource_is_told_as_it_begins_and_as_it_ends_and_a_component_at_the_end() -> None:
    log = Log()
    log("resourcePreEvent", PROVIDER, "create")
    log("resourcePreEvent", NETWORK, "create")
    log("resourcePreEvent", VPC, "create")
    log("resOutputsEvent", VPC, "create")
    log("summaryEvent", maybeCorrupt=False, durationSeconds=3, resourceChanges={"create": 2})

    assert [(step.name, step.status) for step in log.told] == [
        ("demo", "started"),
        ("demo-vpc", "started"),
        ("demo-vpc", "done"),
        ("demo", "done"),
    ]
    assert log.counts == {"create": 2}


def test_a_replacement_counts_once_whichever_half_comes_first() -> None:
    for ops in (
        ("create-replacement", "replace", "delete-replaced"),
        ("delete-replaced", "replace", "create-replacement"),
    ):
        log = Log()
        for op in ops:
            log("resourcePreEvent", VPC, op, diffs=["cidrBlock"])
            log("resOutputsEvent", VPC, op, diffs=["cidrBlock"])
        assert sorted(op for _, op, _ in log.ended) == ["delete", "replace"]
        assert log.counts == {"replace": 1}
        assert [step.diff for step in log.translator.result().steps if step.op == "replace"] == [
            ("cidrBlock",)
        ]


def test_an_update_names_the_paths_that_differ() -> None:
    log = Log()
    detail = {"tags.owner": {"diffKind": "update"}, "description": {"diffKind": "add"}}
    log("resourcePreEvent", VPC, "update", detailedDiff=detail)
    log("resOutputsEvent", VPC, "update", detailedDiff=detail)

    assert log.translator.result().steps[-1].diff == ("description", "tags.owner")


def test_a_failure_carries_the_providers_words_without_their_colours() -> None:
    log = Log()
    log("resourcePreEvent", VPC, "create")
    log(
        "diagnosticEvent",
        VPC,
        message="<{%reset%}>1 error occurred: QuotaExceeded.Vpc<{%reset%}>\n",
        color="raw",
        severity="error",
    )
    log("resOpFailedEvent", VPC, "create", status=1, steps=0)
    log("diagnosticEvent", message="<{%reset%}>update failed<{%reset%}>\n", color="raw", severity="error")

    assert log.ended == [("demo-vpc", "create", "failed")]
    assert log.translator.result().steps[0].error == "1 error occurred: QuotaExceeded.Vpc"
    assert [message.text for message in log.translator.result().messages] == [
        "1 error occurred: QuotaExceeded.Vpc",
        "update failed",
    ]


def test_what_a_refresh_finds_is_told_by_its_outcome() -> None:
    log = Log()
    for urn, outcome in ((VPC, "delete"), (VPC + "-2", "update"), (VPC + "-3", "same")):
        log("resourcePreEvent", urn, "refresh")
        log("resOutputsEvent", urn, outcome)

    assert [op for _, op, _ in log.ended] == ["delete", "update", "same"]


def test_passing_words_are_not_kept() -> None:
    log = Log()
    log("diagnosticEvent", VPC, message="creating (3s)", color="raw", severity="info#err", ephemeral=True)
    log("diagnosticEvent", message="a lasting word", color="raw", severity="info#err")

    assert [(message.severity, message.text) for message in log.translator.result().messages] == [
        ("info", "a lasting word")
    ]


def test_a_run_that_failed_names_all_that_did_and_says_how_to_go_on() -> None:
    log = Log()
    for urn, words in ((VPC, "no quota is left"), (VPC.replace("demo-vpc", "other"), "no room")):
        log("resourcePreEvent", urn, "create")
        log("diagnosticEvent", urn, message=words, severity="error", color="never", prefix="error: ")
        log("resOpFailedEvent", urn, "create", status=1, steps=0)
    error = _failure(CommandError(_Nothing()), log.translator)
    assert error.message == "create of demo-vpc failed: no quota is left; so did other"
    assert "again goes on" in error.hint


class _Nothing:
    """What the CLI left: no words of its own."""

    code, stdout, stderr = 255, "", ""
