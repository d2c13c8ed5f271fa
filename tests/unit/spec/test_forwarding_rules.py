"""Rules and slow starts per kind of load balancer, as properties over whatever a cluster file may ask for."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from steelyard.spec import ClusterSpec, SpecError
from steelyard.spec.balancer import ABILITIES
from steelyard.spec.config import read_config

rules = st.fixed_dictionaries(
    {
        "name": st.sampled_from(["metrics", "calls", "pages"]),
        "paths": st.sampled_from([[], ["/a"], ["/a/*", "/b?"]]),
        "hosts": st.sampled_from([[], ["*.example.com"]]),
        "port": st.sampled_from([1024, 9100, 65535]),
        "protocol": st.sampled_from(["http", "https", "grpc"]),
    }
)
balancers = st.fixed_dictionaries(
    {
        "kind": st.sampled_from(sorted(ABILITIES)),
        "scheduler": st.sampled_from(["wrr", "wlc"]),
        "slow_start_s": st.sampled_from([0, 29, 30, 900]),
        "rules": st.lists(rules, max_size=3),
        "is_secure": st.booleans(),
    }
)


def read(balancer: dict[str, Any]) -> ClusterSpec | SpecError:
    """Read a cluster file whose listener is of the kind's own plain protocol, or of its one with TLS."""
    wanted = {name: value for name, value in balancer.items() if name != "is_secure"}
    plain, secure = {
        "classic": ("http", "https"),
        "network": ("tcp", "tcpssl"),
        "application": ("http", "https"),
    }[balancer["kind"]]
    if balancer["is_secure"]:
        wanted |= {"tls": {"certificate_id": "1"}, "listeners": [{"port": 443, "protocol": secure}]}
    else:
        wanted |= {"listeners": [{"port": 80, "protocol": plain}]}
    try:
        return read_config({"name": "demo", "load_balancer": wanted})
    except SpecError as err:
        return err


def fits(balancer: dict[str, Any]) -> bool:
    """Tell by other words than the product's whether the rules and the slow start are right."""
    is_application = balancer["kind"] == "application"
    asked = balancer["rules"]
    if asked and not is_application:
        return False
    if len({rule["name"] for rule in asked}) < len(asked):
        return False
    if any(not rule["paths"] and not rule["hosts"] for rule in asked):
        return False
    if any(rule["protocol"] != "http" for rule in asked) and not balancer["is_secure"]:
        return False
    slow = balancer["slow_start_s"]
    return not slow or (is_application and slow >= 30 and balancer["scheduler"] == "wrr")


@given(balancers)
def test_what_is_taken_fits_and_what_is_refused_does_not(balancer: dict[str, Any]) -> None:
    found = read(balancer)
    if balancer["kind"] == "classic" and balancer["scheduler"] == "wlc":
        return  # Refused for its scheduler, whatever the rest is.
    assert isinstance(found, ClusterSpec) == fits(balancer), found


@given(balancers)
def test_each_refusal_names_its_place_and_a_mend(balancer: dict[str, Any]) -> None:
    found = read(balancer)
    if isinstance(found, SpecError):
        assert found.mistakes
        for mistake in found.mistakes:
            assert "load_balancer" in mistake.path
            assert mistake.hint
