"""Whatever rules the API lets in, HAProxy takes: a call that it refused would answer with InternalError."""

from __future__ import annotations

import string

from haproxy_words import warnings_of
from hypothesis import HealthCheck as Slowness
from hypothesis import given, settings
from hypothesis import strategies as st

from steelyard.localcloud.proxy.check import HealthCheck
from steelyard.localcloud.proxy.config import Listener, ProxyConfig, Server, ServerPool
from steelyard.localcloud.proxy.route import Route
from steelyard.localcloud.services.alb.models import Listener as AlbListener
from steelyard.localcloud.services.alb.models import Rule
from steelyard.localcloud.services.alb.route_plan import plan_route
from steelyard.localcloud.services.alb.rule_setting import read_actions, read_conditions
from steelyard.localcloud.services.alb.setting import read_check, read_listener

OWN, FURTHER = "http-8000", "further"
LISTENER = AlbListener(
    id="lsn-1",
    created_at=0.0,
    tags={},
    region_id="cn-hangzhou",
    load_balancer_id="alb-1",
    server_group_id=OWN,
    port=8000,
    is_running=True,
    settings=read_listener({}),
    protocol="HTTP",
)
TEXTS = st.text([chr(code) for code in range(0x21, 0x7F)], min_size=1, max_size=12)
KEYS = st.text(string.ascii_letters + string.digits + "-_", min_size=1, max_size=8).map("x-".__add__)
PAIRS = st.builds(lambda key, value: {"Key": key, "Value": value}, KEYS, TEXTS)
PATHS = TEXTS.map("/".__add__)


def some(values: st.SearchStrategy) -> st.SearchStrategy:
    return st.lists(values, min_size=1, max_size=3)


CONDITIONS = {
    "Host": st.fixed_dictionaries({"Values": some(TEXTS)}),
    "Path": st.fixed_dictionaries({"Values": some(PATHS)}),
    "Header": st.fixed_dictionaries({"Key": KEYS, "Values": some(TEXTS)}),
    "QueryString": st.fixed_dictionaries({"Values": some(PAIRS)}),
    "Cookie": st.fixed_dictionaries({"Values": some(PAIRS)}),
    "Method": st.fixed_dictionaries({"Values": some(st.sampled_from(["GET", "HEAD"]))}),
    "SourceIp": st.just({"Values": ["10.0.0.0/8"]}),
}
CHANGES = {
    "InsertHeader": st.fixed_dictionaries({"Key": KEYS, "Value": TEXTS, "ValueType": st.just("UserDefined")}),
    "RemoveHeader": st.fixed_dictionaries({"Key": KEYS}),
    "TrafficLimit": st.fixed_dictionaries({"QPS": st.integers(5, 9), "PerIpQps": st.integers(0, 4)}),
}
REWRITES = {"Rewrite": st.fixed_dictionaries({"Host": TEXTS, "Path": PATHS, "Query": TEXTS})}
STATUSES = st.integers(200, 599).filter(lambda status: not 300 <= status < 400)
ENDS = {
    "Redirect": st.fixed_dictionaries({"Host": TEXTS, "Path": PATHS, "Query": TEXTS}),
    "FixedResponse": st.fixed_dictionaries(
        {"HttpCode": STATUSES.map(str), "Content": st.text(string.printable, max_size=50)}
    ),
}
GROUPS = st.permutations([OWN, FURTHER]).map(
    lambda names: {"ServerGroupTuples": [{"ServerGroupId": name, "Weight": 50} for name in names]}
)


def one_of(kinds: dict[str, st.SearchStrategy]) -> st.SearchStrategy:
    return st.one_of(
        st.tuples(st.just(kind), config).map(lambda pair: {"Type": pair[0], f"{pair[0]}Config": pair[1]})
        for kind, config in kinds.items()
    )


def numbered(actions: list[dict]) -> list[dict]:
    return [{**action, "Order": number} for number, action in enumerate(actions, 1)]


def planned(conditions: list[dict], actions: list[dict]) -> Route:
    rule = Rule(
        id="rule-1",
        created_at=0.0,
        tags={},
        region_id="cn-hangzhou",
        load_balancer_id="alb-1",
        listener_id="lsn-1",
        name="rule",
        priority=1,
        conditions=read_conditions(conditions),
        actions=read_actions(numbered(actions)),
    )
    return plan_route(rule, LISTENER, str)


FORWARDED = st.tuples(st.lists(one_of({**CHANGES, **REWRITES}), max_size=3), one_of({"ForwardGroup": GROUPS}))
ENDED = st.tuples(st.lists(one_of(CHANGES), max_size=3), one_of(ENDS))
ACTIONS = (
    st.one_of(FORWARDED, ENDED)
    .map(lambda parts: [*parts[0], parts[1]])
    .filter(lambda actions: [action["Type"] for action in actions].count("TrafficLimit") < 2)
)
ROUTES = st.builds(planned, st.lists(one_of(CONDITIONS), min_size=1, max_size=3), ACTIONS)
CHECKS = st.builds(
    lambda path, host: read_check({"HealthCheckPath": path, "HealthCheckHost": host}),
    PATHS,
    st.text(string.ascii_letters + ".-", max_size=9),
).map(
    lambda check: HealthCheck(
        protocol="http", path=str(check["HealthCheckPath"]), domain=str(check["HealthCheckHost"])
    )
)


@settings(max_examples=25, deadline=None, suppress_health_check=[*Slowness])
@given(routes=st.lists(ROUTES, min_size=1, max_size=8), check=CHECKS)
def test_haproxy_takes_the_rules_and_checks_that_the_api_lets_in(tmp_path_factory, routes, check):
    server = Server(name="a", address="127.0.0.1", port=8080, weight=100)
    own = Listener(name=OWN, protocol="http", port=8000, servers=(server,), check=check, routes=tuple(routes))
    further = ServerPool(name=FURTHER, protocol="http", servers=(server,), check=check)
    config = ProxyConfig(addresses=("127.94.0.10",), listeners=(own,), further_pools=(further,))
    assert warnings_of(config, tmp_path_factory.mktemp("rules")) == []
