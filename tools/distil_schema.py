"""Distil the vendor's typed SDK packages into the schema that the local cloud ships.

The packages' model classes give every parameter's wire name (the text of `from_map`), type (the annotations of
`__init__`) and whether it is required (the comment above its assignment, the only place that tells). The client
class gives action, version and HTTP method. Run it after an upgrade of the packages:

    pip install -e '.[dev,schema]' && python tools/distil_schema.py
"""

from __future__ import annotations

import argparse
import importlib
import inspect
import json
import re
import sys
import typing
import zlib
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

from darabonba.model import DaraModel

PACKAGES = {
    "vpc": "alibabacloud_vpc20160428",
    "ecs": "alibabacloud_ecs20140526",
    "slb": "alibabacloud_slb20140515",
    "nlb": "alibabacloud_nlb20220430",
    "alb": "alibabacloud_alb20200616",
    "ess": "alibabacloud_ess20220222",
    "ram": "alibabacloud_ram20150501",
    "sts": "alibabacloud_sts20150401",
    "cms": "alibabacloud_cms20190101",
    "cas": "alibabacloud_cas20200407",
    "bssopenapi": "alibabacloud_bssopenapi20171214",
    "tag": "alibabacloud_tag20180828",
    "nas": "alibabacloud_nas20170626",
}
SCHEMA_PATH = Path(__file__).parents[1] / "src/steelyard/localcloud/wire/schema.json.zlib"
SCALARS = {str: "str", int: "int", float: "float", bool: "bool"}

TypeSpec = str | list | dict


class Distillery:
    """Collects the shapes that the actions of all products refer to."""

    def __init__(self) -> None:
        self.actions: dict[str, list] = {}
        self.shapes: dict[str, dict[str, list]] = {}

    def add_product(self, code: str, package: str) -> None:
        models = importlib.import_module(f"{package}.models")
        for params in client_params(importlib.import_module(f"{package}.client")):
            key = f"{params['version']}/{params['action']}"
            request = getattr(models, params["action"] + "Request", None)
            answer = getattr(models, params["action"] + "ResponseBody", None)
            if answer is None:
                raise SystemExit(f"{package}: {params['action']} has no answer class")
            self.actions[key] = [
                code,
                params["method"],
                self.type_spec(code, request) if request else None,
                self.type_spec(code, answer),
            ]

    def type_spec(self, code: str, hint: object) -> TypeSpec:
        if isinstance(hint, type) and issubclass(hint, DaraModel):
            return self.shape(code, hint)
        if typing.get_origin(hint) is list:
            return [self.type_spec(code, typing.get_args(hint)[0])]
        if typing.get_origin(hint) is dict:
            return {"*": self.type_spec(code, typing.get_args(hint)[1])}
        return SCALARS.get(hint, "any")

    def shape(self, code: str, model: type[DaraModel]) -> str:
        name = f"{code}.{model.__name__}"
        if name not in self.shapes:
            self.shapes[name] = {}
            required = set(required_attributes(model))
            for wire_name, attribute, hint in model_fields(model):
                spec = self.type_spec(code, hint)
                self.shapes[name][wire_name] = [spec, 1] if attribute in required else [spec]
        return name


def client_params(client: ModuleType) -> Iterator[dict[str, str]]:
    """Give the action, version and method of every call in a client's source."""
    source = Path(client.__file__).read_text(encoding="utf-8")
    seen = set()
    for block in re.findall(r"params = open_api_util_models\.Params\((.*?)\n        \)", source, re.DOTALL):
        params = dict(re.findall(r"(\w+) = '([^']*)'", block))
        if params["action"] not in seen:
            seen.add(params["action"])
            yield params


def model_fields(model: type[DaraModel]) -> Iterator[tuple[str, str, object]]:
    """Give each field's wire name, attribute and type."""
    hints = typing.get_type_hints(model.__init__)
    source = inspect.getsource(model.from_map)
    for block in re.split(r"\n        if (?=m\.get\()", source)[1:]:
        wire_name = re.match(r"m\.get\('([^']+)'\)", block).group(1)
        attribute = re.search(r"self\.(\w+)", block).group(1)
        yield wire_name, attribute, hints[attribute]


def required_attributes(model: type[DaraModel]) -> Iterator[str]:
    source = inspect.getsource(model.__init__)
    for comment, attribute in re.findall(r"((?:        #.*\n)+)        self\.(\w+) = ", source):
        if "This parameter is required" in comment:
            yield attribute


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--output", type=Path, default=SCHEMA_PATH)
    output = parser.parse_args().output
    distillery = Distillery()
    for code, package in PACKAGES.items():
        distillery.add_product(code, package)
    document = {"actions": distillery.actions, "shapes": distillery.shapes}
    text = json.dumps(document, separators=(",", ":"), sort_keys=True)
    output.write_bytes(zlib.compress(text.encode(), 9))
    num_fields = sum(map(len, distillery.shapes.values()))
    sys.stdout.write(
        f"{output}: {len(distillery.actions)} actions, {len(distillery.shapes)} shapes, {num_fields} fields, "
        f"{output.stat().st_size / 1024:.0f} KiB\n"
    )


if __name__ == "__main__":
    main()
