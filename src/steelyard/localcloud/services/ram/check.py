"""Checks of names and policy documents, by the rules of the RAM API's parameter descriptions."""

from __future__ import annotations

import json
import re
from typing import Any

from steelyard.localcloud.service import Request
from steelyard.localcloud.services.ram import errors
from steelyard.localcloud.wire.error import missing_parameter

_NAMES = {
    "RoleName": (re.compile(r"[A-Za-z0-9.@\-]+"), 64),
    "PolicyName": (re.compile(r"[A-Za-z0-9\-]+"), 128),
    "UserName": (re.compile(r"[A-Za-z0-9.\-_]+"), 64),
    "NewUserName": (re.compile(r"[A-Za-z0-9.\-_]+"), 64),
    "GroupName": (re.compile(r"[A-Za-z0-9.\-_]+"), 64),
    "NewGroupName": (re.compile(r"[A-Za-z0-9.\-_]+"), 64),
}
_ELEMENTS = ("Sid", "Effect", "Action", "NotAction", "Resource", "NotResource", "Condition")
"""Elements of a statement (help page "Policy elements"; `Sid`, a name, stands in policies of the provider's tests)."""
_WORDS = {
    "Action": (re.compile(r"\*|[^:\s]+:\S+"), "* or <product>:<action>"),
    "Resource": (re.compile(r"\*|acs:[^:]*:[^:]*:[^:]*:.+"), "* or acs:<product>:<region>:<account>:<path>"),
}
"""Their texts (help page "Policy structure and syntax")."""
MAX_TRUST_BYTES = 2048
MAX_POLICY_BYTES = 6144
MAX_SESSION_POLICY_BYTES = 2048
MAX_DESCRIPTION = 1024
MAX_COMMENTS = 128
SESSION_DURATIONS_S = range(3600, 43201)


def read_name(request: Request, parameter: str) -> str:
    """Give a name, e.g. `RoleName`.

    Raises:
        ApiError: `MissingParameter`, `InvalidParameter.*.InvalidChars` or `InvalidParameter.*.Length`.
    """
    pattern, max_length = _NAMES[parameter]
    name = request.text(parameter)
    if not name:
        raise missing_parameter(parameter)
    if len(name) > max_length:
        raise errors.too_long(parameter)
    if not pattern.fullmatch(name):
        raise errors.invalid_chars(parameter)
    return name


def read_description(
    request: Request, parameter: str, default: str = "", max_length: int = MAX_DESCRIPTION
) -> str:
    """Give a description, a comment or another text for people.

    Raises:
        ApiError: `InvalidParameter.*.Length`.
    """
    description = request.text(parameter, default)
    if len(description) > max_length:
        raise errors.too_long(parameter)
    return description


def read_session_duration(request: Request, parameter: str, default: int) -> int:
    """Give a role's longest session, in seconds.

    Raises:
        ApiError: `InvalidParameter.MaxSessionDuration`.
    """
    duration_s = request.number(parameter, default)
    if duration_s not in SESSION_DURATIONS_S:
        raise errors.invalid_value(parameter)
    return duration_s


def read_trust_policy(request: Request, parameter: str) -> str:
    """Give the document that says who may take a role.

    Raises:
        ApiError: `MissingParameter`, `MalformedPolicyDocument` or `InvalidParameter.*.Length`.
    """
    text = _read_text(request, parameter, MAX_TRUST_BYTES)
    for statement in parse_statements(text):
        if not isinstance(statement.get("Principal"), dict) or not statement["Principal"]:
            raise errors.malformed_document("The trust policy has a statement without Principal.")
        if "sts:AssumeRole" not in as_list(statement.get("Action")):
            raise errors.malformed_document(
                "The trust policy has a statement without the action sts:AssumeRole."
            )
    return text


def read_policy(request: Request, parameter: str, max_bytes: int = MAX_POLICY_BYTES) -> str:
    """Give the document that says what may be done.

    Raises:
        ApiError: `MissingParameter`, `MalformedPolicyDocument` or `InvalidParameter.*.Length`.
    """
    text = _read_text(request, parameter, max_bytes)
    for statement in parse_statements(text):
        _check_one_of(statement, "Resource")
        _check_words(statement)
    return text


def _read_text(request: Request, parameter: str, max_bytes: int) -> str:
    text = request.text(parameter)
    if not text:
        raise missing_parameter(parameter)
    if len(text.encode()) > max_bytes:
        raise errors.too_long(parameter)
    return text


def parse_statements(text: str) -> list[dict[str, Any]]:
    """Give a document's statements; each has an `Effect` and an `Action`, or a `NotAction`.

    Raises:
        ApiError: `MalformedPolicyDocument`.
    """
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as err:
        raise errors.malformed_document(f"The policy is not valid JSON: {err}.") from None
    if not isinstance(document, dict) or document.get("Version") != "1":
        raise errors.malformed_document('The policy is not a JSON object with "Version": "1".')
    statements = document.get("Statement")
    if not isinstance(statements, list) or not statements:
        raise errors.malformed_document("The policy has no Statement.")
    for statement in statements:
        if not isinstance(statement, dict) or statement.get("Effect") not in ("Allow", "Deny"):
            raise errors.malformed_document(
                'The policy has a statement whose Effect is not "Allow" or "Deny".'
            )
        _check_one_of(statement, "Action")
        _check_condition(statement)
    return statements


def _check_condition(statement: dict[str, Any]) -> None:
    condition = statement.get("Condition") or {}
    if not isinstance(condition, dict) or not all(isinstance(keys, dict) for keys in condition.values()):
        raise errors.malformed_document(
            "The policy has a statement whose Condition is not an object of operators, each with its keys."
        )


def _check_words(statement: dict[str, Any]) -> None:
    """Check that a statement says nothing that would be left aside, such as a misspelt condition."""
    for element in statement:
        if element not in _ELEMENTS:
            raise errors.malformed_document(
                f"The policy has a statement with {element!r}, which is none of {', '.join(_ELEMENTS)}."
            )
    for element, (pattern, want) in _WORDS.items():
        for word in as_list(statement.get(element)) + as_list(statement.get(f"Not{element}")):
            if not isinstance(word, str) or not pattern.fullmatch(word):
                raise errors.malformed_document(
                    f"The policy has the {element} {word!r}, which is not {want}."
                )


def _check_one_of(statement: dict[str, Any], element: str) -> None:
    """Check that a statement has an element, or says with its opposite what it is not for."""
    given = [name for name in (element, f"Not{element}") if as_list(statement.get(name))]
    if not given:
        raise errors.malformed_document(f"The policy has a statement without {element}.")
    if len(given) > 1:
        raise errors.malformed_document(f"The policy has a statement with both {element} and Not{element}.")


def as_list(value: object) -> list[object]:
    """Give a document's value as a list; one alone may stand without brackets."""
    if value is None or value == "":
        return []
    return value if isinstance(value, list) else [value]
