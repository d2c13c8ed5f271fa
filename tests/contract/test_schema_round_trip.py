"""The shipped schema against the vendor's own classes: every action of it, there and back."""

from __future__ import annotations

import importlib
import inspect
import json
import random
import typing
from collections.abc import Callable, Iterator
from dataclasses import dataclass

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
# Parameters that a package declares and its client never sends.
NEVER_SENT = {"cms": {"RegionId"}}
TEXTS = ("x", "a b", "é+&=", "[1]", "0", "true", "10.0.0.0/8", "a,b", '{"k": 1}', "None")


class Sent(Exception):
    """What a client would have sent."""

    def __init__(self, version, action, request) -> None:
        super().__init__()
        self.version, self.action, self.request = version, action, request


@pytest.fixture(scope="module")
def schema() -> Schema:
    return load_schema()


@dataclass(frozen=True, kw_only=True)
class Call:
    """One action as a client calls it.

    Attributes:
        action: Its name.
        send: The client's method; it takes the request, if there is one, and what the client may do.
        request_class: The request's class; None where the action takes no parameters.
    """

    action: str
    send: Callable[..., object]
    request_class: type[DaraModel] | None


def typed_calls(package: str) -> Iterator[Call]:
    """Give each synchronous call of a client."""
    client_class = importlib.import_module(f"{package}.client").Client

    class Recorder(client_class):
        def call_api(self, params, request, runtime):
            raise Sent(params.version, params.action, request)

        def do_rpcrequest(self, action, version, protocol, method, auth, body, request, runtime):
            """Take calls that nobody signs, whose caller shows a token of another's instead."""
            raise Sent(version, action, request)

    client = Recorder(
        Config(access_key_id="a", access_key_secret="b", endpoint="127.0.0.1:1", region_id="cn-hangzhou")
    )
    for name, method in inspect.getmembers(client_class, inspect.isfunction):
        parameters = list(inspect.signature(method).parameters)
        if name.endswith("with_options") and parameters[-1] == "runtime" and len(parameters) in (2, 3):
            hints = typing.get_type_hints(method)
            yield Call(
                action=hints["return"].__name__.removesuffix("Response"),
                send=getattr(client, name),
                request_class=hints[parameters[1]] if len(parameters) == 3 else None,
            )


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


def send(call: Call, request: DaraModel | None) -> tuple[str, str, dict[str, str]]:
    """Give version, action and flat parameters as the client's own code makes them."""
    with pytest.raises(Sent) as caught:
        call.send(*([request] if request is not None else []), RuntimeOptions())
    sent = caught.value
    flat = {key: str(value) for key, value in (sent.request.query or {}).items()}
    flat.update({key: str(value) for key, value in Utils.query(sent.request.body or {}).items()})
    return sent.version, sent.action, flat


def known_actions(schema: Schema, product: str) -> set[str]:
    return {
        name
        for version, name in schema.actions()
        if (shape := schema.action(version, name)) is not None and shape.product == product
    }


def test_every_product_of_the_schema_is_called_by_its_package(schema):
    products = {shape.product for key in schema.actions() if (shape := schema.action(*key)) is not None}
    assert products == PACKAGES.keys()


@pytest.mark.parametrize("product", PACKAGES)
def test_every_request_is_parsed_as_the_sdk_meant_it(schema, product):
    rng = random.Random(product)
    called = set()
    for call in typed_calls(PACKAGES[product]):
        request = random_value(call.request_class, rng) if call.request_class else None
        version, action, flat = send(call, request)
        assert action == call.action
        unsent = NEVER_SENT.get(product, set()) - flat.keys()
        meant = plain(request) if request is not None else {}
        shape = schema.action(version, action)
        assert shape is not None, action
        parsed = parse_parameters(schema, shape.request, flat) if shape.request else flat
        assert plain(parsed) == {key: value for key, value in meant.items() if key not in unsent}, action
        called.add(action)
    assert called == known_actions(schema, product)


@pytest.mark.parametrize("product", PACKAGES)
def test_every_answer_is_read_as_the_cloud_meant_it(schema, product):
    rng = random.Random(product)
    models = importlib.import_module(f"{PACKAGES[product]}.models")
    read = set()
    for call in typed_calls(PACKAGES[product]):
        answer_class = getattr(models, f"{call.action}ResponseBody")
        meant = json.loads(json.dumps(random_value(answer_class, rng).to_map()))
        answer = shape_answer(schema, f"{product}.{call.action}ResponseBody", {**meant, "NotOfThisAction": 1})
        assert plain(answer_class().from_map(json.loads(json.dumps(answer)))) == plain(meant), call.action
        read.add(call.action)
    assert read == known_actions(schema, product)
