"""The settings of a resource: what they may be, and what they are where nobody says."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from steelyard.localcloud.wire.error import invalid_parameter

STATUS_CLASSES = ("http_2xx", "http_3xx", "http_4xx", "http_5xx")
"""The sorts of answers that a health check may take for good."""
SERVER_IP = "$SERVER_IP"
"""Stands for the server's own address, which is what a check without a domain means."""


@dataclass(frozen=True, kw_only=True)
class Setting:
    """One setting.

    Attributes:
        default: Its value where it is not sent.
        check: Tells whether a value is allowed.
        want: What is allowed, in words.
    """

    default: object
    check: Callable[[object], bool] = lambda value: True
    want: str = ""


def number(default: int, low: int, high: int) -> Setting:
    """Make a setting that is a number in a range; its default may lie outside."""
    return Setting(
        default=default,
        check=lambda value: isinstance(value, int) and low <= value <= high,
        want=f"from {low} to {high}",
    )


def choice(default: str, *choices: str) -> Setting:
    """Make a setting that is one of some words."""
    return Setting(default=default, check=lambda value: value in choices, want=f"one of {', '.join(choices)}")


def text(default: str = "", max_length: int = 80) -> Setting:
    """Make a setting that is a text without blanks."""
    # A line break or a blank would end a word of HAProxy's configuration.
    return Setting(
        default=default,
        check=lambda value: (
            len(str(value)) <= max_length and str(value).isprintable() and " " not in str(value)
        ),
        want=f"up to {max_length} characters without blanks",
    )


def path() -> Setting:
    """Make a setting that is the path of a page, `/` where it is not sent."""
    return Setting(default="/", check=_is_path, want="a path of up to 80 characters")


def domain(own_address: str) -> Setting:
    """Make a setting that is the name by which a check asks.

    Args:
        own_address: The word that stands for the server's own address.
    """
    name = re.compile(r"[A-Za-z0-9.-]{1,80}\Z")
    return Setting(
        default="",
        check=lambda value: value == own_address or name.match(str(value)) is not None,
        want=f"up to 80 letters, digits, . and -, or {own_address}",
    )


def key(max_length: int) -> Setting:
    """Make a setting that is the name of a cookie or of a parameter of requests; empty where it is not sent."""
    name = re.compile(rf"[A-Za-z0-9_.-]{{1,{max_length}}}\Z")
    return Setting(
        default="",
        check=lambda value: name.match(str(value)) is not None,
        want=f"up to {max_length} letters, digits and _ . -",
    )


def checked(known: Mapping[str, Setting], given: Mapping[str, object]) -> dict[str, object]:
    """Give the values that are known and were sent.

    Raises:
        ApiError: `InvalidParameter` for a value that is not allowed.
    """
    values = {name: value for name, value in given.items() if name in known and value not in (None, "")}
    for name, value in values.items():
        if not known[name].check(value):
            raise invalid_parameter(name, value, known[name].want)
    return values


def defaults(known: Mapping[str, Setting]) -> dict[str, object]:
    """Give the values where nothing is sent."""
    return {name: setting.default for name, setting in known.items()}


def _is_path(value: object) -> bool:
    return re.match(r"/[\x21-\x7e]{0,79}\Z", str(value)) is not None
