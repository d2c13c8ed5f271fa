"""The shipped schema against the vendor's own classes: every action that both know, there and back."""

from __future__ import annotations

import importlib
import inspect
import json
import random
import re
import typing
from collections.abc import Iterator

import pytest
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_tea_openapi.utils_models import Config
from darabonba.model import DaraModel
from darabonba.runtime import RuntimeOptions

from steelyard.localcloud.wire.answer import shape_answer
from steelyard.localcloud.wire.parameter import parse_parameters
from steelyard.localcloud.wire.schema import Schema, load_schema

PACKAGES = {
    "vpc": "alibabacloud_vpc20160428",
    "ecs": "alibabacloud_ecs20140526",
    "slb": "alibabacloud_slb20140515",
    "ram": "alibabacloud_ram20150501",
    "sts": "alibabacloud_sts20150401",
    "nlb": "alibabacloud_nlb20220430",
    "alb": "alibabacloud_alb20200616",
    "cas": "alibabacloud_cas20200407",
    "bssopenapi": "alibabacloud_bssopenapi20171214",
    "tag": "alibabacloud_tag20180828",
    "nas": "alibabacloud_nas20170626",
    "ess": "alibabacloud_ess20220222",
    "cms": "alibabacloud_cms20190101",
}
# The least number of actions, so that a change of the packages cannot empty the test unseen.
NUM_ACTIONS = {
    "vpc": 390,
    "ecs": 370,
    "slb": 90,
    "ram": 60,
    "sts": 1,
    "nlb": 45,
    "alb": 80,
    "cas": 70,
    "bssopenapi": 95,
    "tag": 30,
    "nas": 130,
    "ess": 100,
    "cms": 160,
}
# Parameters that a package declares and its client never sends.
NEVER_SENT = {"cms": {"RegionId"}}
TEXTS = ("x", "a b", "é+&=", "[1]", "0", "true", "10.0.0.0/8", "a,b", '{"k": 1}', "None")


class Sent(Exception):
    """What a client would have sent."""

    def __init__(self, params, request) -> None:
        super().__init__()
        self.params = params
        self.request = request


@pytest.fixture(scope="module")
def schema() -> Schema:
    return load_schema()


def typed_calls(package: str) -> Iterator[tuple[typing.Callable, type[DaraModel]]]:
    """Give each synchronous call of a client with its request class."""
    client_class = importlib.import_module(f"{package}.client").Client

    class Recorder(client_class):
        def call_api(self, params, request, runtime):
            raise Sent(params, request)

    client = Recorder(
        Config(access_key_id="a", access_key_secret="b", endpoint="127.0.0.1:1", region_id="cn-hangzhou")
    )
    for name, method in inspect.getmembers(client_class, inspect.isfunction):
        parameters = list(inspect.signature(method).parameters)
        if name.endswith("_with_options") and len(parameters) == 3:
            yield getattr(client, name), typing.get_type_hints(method)[parameters[1]]


def field_types(model: type[DaraModel]) -> dict[str, object]:
    hints = typing.get_type_hints(model.__init__)
    hints.pop("return", None)
    return hints


def random_value(hint: object, rng: random.Random) -> object:
    if isinstance(hint, type) and issubclass(hint, DaraModel):
        value = hint()
        for attribute, field_hint in field_types(hint).items():
            setattr(value, attribute, random_value(field_hint, rng))
        return value
    origin, arguments = typing.get_origin(hint), typing.get_args(hint)
    if origin is list:
        return [random_value(arguments[0], rng) for _ in range(rng.randint(1, 3))]
    if origin is dict:
        return {f"key{i}": random_value(arguments[1], rng) for i in range(2)}
    if hint is bool:
        return rng.random() < 0.5
    if hint is int:
        return rng.randint(-5, 70000)
    if hint is float:
        return rng.choice((0.5, 1.25, 3.0))
    return rng.choice(TEXTS) if hint is str else "any"


def plain(value: object) -> object:
    """Give a model as JSON values, without what is empty: a client does not send it."""
    if isinstance(value, DaraModel):
        value = value.to_map()
    if isinstance(value, dict):
        items = {key: plain(item) for key, item in value.items()}
        return {key: item for key, item in items.items() if item not in (None, [], {})}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


def send(call: typing.Callable, request: DaraModel) -> tuple[str, str, dict[str, str]]:
    """Give version, action and flat parameters as the client's own code makes them."""
    with pytest.raises(Sent) as caught:
        call(request, RuntimeOptions())
    sent = caught.value
    flat = {key: str(value) for key, value in (sent.request.query or {}).items()}
    flat.update({key: str(value) for key, value in Utils.query(sent.request.body or {}).items()})
    return sent.params.version, sent.params.action, flat


@pytest.mark.parametrize("product", PACKAGES)
def test_every_request_is_parsed_as_the_sdk_meant_it(schema, product):
    rng = random.Random(product)
    num_actions = 0
    for call, request_class in typed_calls(PACKAGES[product]):
        request = random_value(request_class, rng)
        version, action, flat = send(call, request)
        unsent = NEVER_SENT.get(product, set()) - flat.keys()
        meant = {key: value for key, value in plain(request).items() if key not in unsent}
        shape = schema.action(version, action)
        assert shape is not None, action
        assert plain(parse_parameters(schema, shape.request, flat)) == meant, action
        num_actions += 1
    assert num_actions >= NUM_ACTIONS[product]


@pytest.mark.parametrize("product", PACKAGES)
def test_every_answer_is_read_as_the_cloud_meant_it(schema, product):
    rng = random.Random(product)
    models = importlib.import_module(f"{PACKAGES[product]}.models")
    num_actions = 0
    for _, request_class in typed_calls(PACKAGES[product]):
        action = re.sub("Request$", "", request_class.__name__)
        answer_class = getattr(models, f"{action}ResponseBody")
        meant = json.loads(json.dumps(random_value(answer_class, rng).to_map()))
        answer = shape_answer(schema, f"{product}.{action}ResponseBody", {**meant, "NotOfThisAction": 1})
        assert plain(answer_class().from_map(json.loads(json.dumps(answer)))) == plain(meant), action
        num_actions += 1
    assert num_actions >= NUM_ACTIONS[product]
