"""Questions before money is spent."""

from __future__ import annotations

import io

import pytest
from rich.console import Console

from steelyard.cli import consent
from steelyard.errors import UsageError


class Terminal(io.StringIO):
    """What a user typed, on a terminal."""

    def isatty(self) -> bool:
        return True


@pytest.fixture
def screen(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    screen = io.StringIO()
    monkeypatch.setattr(consent, "stderr", lambda: Console(file=screen, width=100))
    return screen


def say(monkeypatch: pytest.MonkeyPatch, words: str) -> None:
    monkeypatch.setattr("sys.stdin", Terminal(words + "\n"))


@pytest.mark.parametrize(
    ("words", "agreed"), [("y", True), ("Yes", True), ("n", False), ("", False), ("ja", False)]
)
def test_a_yes_is_a_yes_and_all_else_is_a_no(
    words: str, agreed: bool, screen: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    say(monkeypatch, words)

    assert consent.ask("delete 3 resources", yes=False) is agreed
    assert screen.getvalue().startswith("Delete 3 resources? [y/N]")


def test_a_no_ends_the_verb(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    say(monkeypatch, "n")

    with pytest.raises(UsageError, match="nothing was done"):
        consent.require("delete 3 resources", yes=False)


def test_with_yes_nothing_is_asked(screen: io.StringIO, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO())

    assert consent.ask("delete 3 resources", yes=True)
    assert screen.getvalue() == ""


def test_without_a_terminal_nothing_is_done(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdin", io.StringIO("y\n"))

    with pytest.raises(UsageError, match="there is no terminal to ask on") as refused:
        consent.ask("delete 3 resources", yes=False)
    assert refused.value.hint == "say --yes"
