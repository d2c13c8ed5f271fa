"""Policies of buckets: RAM's statements, which say besides whom they are for. Pure.

Facts: help page "Bucket policies"; of what principals look like some is from memory.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.ram.check import as_list, parse_statements
from steelyard.localcloud.services.ram.decision import Call, Decision, decide_over, fits
from steelyard.localcloud.wire.error import ApiError
from steelyard.localcloud.wire.signature import AccessKey

_ANYBODY = "*"


def decide_for(document: str, caller: AccessKey | None, call: Call) -> Decision:
    """Decide over a call by a bucket's policy; an empty one says nothing.

    Args:
        document: The policy, which `check_bucket_policy` has let pass.
        caller: Who calls; None for anybody.
        call: The call.
    """
    statements = [one for one in _statements(document) if _is_for(one, caller)]
    return decide_over(statements, call)


def is_public(document: str) -> bool:
    """Tell whether a policy lets anybody in, whoever that is, without a condition."""
    return any(
        one["Effect"] == "Allow" and not one.get("Condition") and _is_for(one, None)
        for one in _statements(document)
    )


def check_bucket_policy(document: bytes) -> str:
    """Check a policy and give its text.

    Raises:
        StorageError: `InvalidPolicyDocument`.
    """
    try:
        text = document.decode()
        statements = parse_statements(text)
    except UnicodeDecodeError as err:
        raise errors.invalid_policy("It is no UTF-8.") from err
    except ApiError as err:
        raise errors.invalid_policy(err.message) from err
    for statement in statements:
        for element in ("Principal", "Resource"):
            given = [name for name in (element, f"Not{element}") if as_list(statement.get(name))]
            if len(given) != 1:
                raise errors.invalid_policy(f"A statement has not one of {element} and Not{element}.")
    return text


def _statements(document: str) -> Sequence[Mapping[str, Any]]:
    return json.loads(document)["Statement"] if document else ()


def _is_for(statement: Mapping[str, Any], caller: AccessKey | None) -> bool:
    if "NotPrincipal" in statement:
        return not _names(statement["NotPrincipal"], caller)
    return _names(statement.get("Principal"), caller)


def _names(principals: object, caller: AccessKey | None) -> bool:
    """Tell whether a caller is named: a user by its digits, a role as `arn:sts::<account>:assumed-role/<role>/*`."""
    patterns = [str(one) for one in as_list(principals)]
    if _ANYBODY in patterns or caller is None:
        return _ANYBODY in patterns
    names = (caller.principal_id, caller.arn, caller.arn.replace("acs:", "arn:", 1))
    return any(fits(patterns, name) for name in names)
