"""Holds the contract tests to the services: each error code is provoked, each action called.

What the services answer and what the tests ask is read from the sources, so that a new code or action without a test
fails here, by its name. A code that nobody can provoke from outside is in `UNSEEN`, with the reason.
"""

from __future__ import annotations

from collections.abc import Mapping

import pytest
from contract_inventory import (
    GATEWAY,
    Code,
    error_codes,
    is_called,
    served_actions,
    words_of_tests,
)

Words = Mapping[str, frozenset[str]]

UNSEEN: Mapping[tuple[str, str], str] = {
    ("ecs", "InvalidInstanceChargeType.ValueNotSupported"): (
        "asked for by the fault verb `reclaim` alone, whose client tells the text without the code"
    ),
    ("ess", "NotificationConfigurationQuotaExceed.ForScalingGroup"): (
        "a group has one recipient that is served, CloudMonitor, and may have six"
    ),
    (
        GATEWAY,
        "InvalidSecurityToken.Expired",
    ): "a key of STS lasts 15 minutes at least: test_wire_signature.py",
    ("oss", "SecurityTokenExpired"): "a key of STS lasts 15 minutes at least: test_oss_signature.py",
    ("oss", "NotModified"): "an answer of status 304 has no body; the status is what tests see",
    **{
        ("nlb", code): "what belongs to network load balancers takes changes in at once"
        for code in (
            "IncorrectStatus.Listener",
            "IncorrectStatus.LoadBalancer",
            "IncorrectStatus.SecurityPolicy",
            "IncorrectStatus.ServerGroup",
        )
    },
}


@pytest.fixture(scope="module")
def words() -> Words:
    """What the tests write; a code may be provoked by an integration test as well."""
    return words_of_tests("contract", "integration")


def test_every_error_code_is_provoked_through_a_client(words: Words) -> None:
    missing = [
        f"{code.product}: {code.text} of {code.place}"
        for code in error_codes()
        if (code.product, code.text) not in UNSEEN and not code.is_in(words.get(code.product, frozenset()))
    ]
    assert not missing, "no test in tests/contract names\n" + "\n".join(missing)


def test_every_action_is_called_through_a_client() -> None:
    words = words_of_tests("contract")
    missing = [
        f"{product}: {name}"
        for product, name in sorted(served_actions())
        if not is_called(name, words.get(product, frozenset()))
    ]
    assert not missing, "no test in tests/contract calls\n" + "\n".join(missing)


def test_what_is_unseen_is_answered_and_not_provoked(words: Words) -> None:
    answered = {(code.product, code.text): code for code in error_codes()}
    assert UNSEEN.keys() <= answered.keys()
    provoked = [one for one in UNSEEN if answered[one].is_in(words.get(one[0], frozenset()))]
    assert provoked == []


def test_codes_are_read_with_what_their_callers_fill_in() -> None:
    codes = {(code.product, code.text) for code in error_codes()}
    assert {("vpc", "InvalidVpcName.Malformed"), ("vpc", "InvalidVSwitchName.Malformed")} <= codes
    assert {("nlb", "ResourceNotInVpc"), ("alb", "ResourceNotInVpc")} <= codes, "shared by both products"
    assert ("oss", "NoSuchLifecycle") in codes, "named by a setting"
    assert (GATEWAY, "MissingParameter") in codes
    assert not any(code.text.startswith("FaultNot") for code in error_codes()), "no API of the vendor's"


def test_a_code_or_an_action_that_nothing_names_is_noticed() -> None:
    words = frozenset({"InvalidVpcId.NotFound", "describe_vpcs", "create_*listener", "tcp"})
    found = Code(product="vpc", text="InvalidVpcId.NotFound", place="")
    lost = Code(product="vpc", text="InvalidVSwitchId.NotFound", place="")
    filled = Code(product="vpc", text="Invalid*.NotFound", place="")
    assert (found.is_in(words), filled.is_in(words), lost.is_in(words)) == (True, True, False)
    assert [is_called(name, words) for name in ("DescribeVpcs", "DeleteVpc")] == [True, False]
    assert [is_called(name, words) for name in ("CreateTCPListener", "CreateUDPListener")] == [True, False]
    verbs = frozenset({"*_instance_refresh", "cancel"})
    assert [is_called(f"{verb}InstanceRefresh", verbs) for verb in ("Cancel", "Resume")] == [True, False]
