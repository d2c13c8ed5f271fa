"""What the local cloud can answer, and what the contract tests ask of it, both read from the sources."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from steelyard.localcloud.services import SERVICES
from steelyard.localcloud.services.oss.actions import operation_names

TESTS = Path(__file__).parents[1]
SOURCES = TESTS.parent / "src" / "steelyard" / "localcloud"

GATEWAY = "gateway"
"""What stands for all products: what `wire`, `tag` and the like answer for each of them."""

_SHARED = {"zonal": ("alb", "nlb")}
_CONSTRUCTORS = {"ApiError", "StorageError"}
_NOT_COUNTED = {"contract_inventory.py", "test_contract_coverage.py", "test_schema_round_trip.py"}
_LEAST = 8
"""Letters that a name with a gap has at least, so that not every text with one is taken for a name."""
_OWN_CLIENTS = {"oss": "alibabacloud_oss_v2"}


@dataclass(frozen=True, order=True, kw_only=True)
class Code:
    """An error code that a product can answer with.

    Attributes:
        product: The product, or `GATEWAY`.
        text: The code; `*` stands for a part that only a call decides.
        place: File and function that make the error.
    """

    product: str
    text: str
    place: str

    def is_in(self, words: frozenset[str]) -> bool:
        """Say whether tests that write these words name the code; how it is spelled, the tests say when they run."""
        folded, text = _folded(words), self.text.casefold()
        if "*" not in text:
            return text in folded
        form = re.compile(".+".join(re.escape(part) for part in text.split("*")))
        return any(form.fullmatch(word) for word in folded)


def error_codes() -> list[Code]:
    """Give every error code that the sources of the local cloud make."""
    found: set[Code] = set()
    for path in sorted(SOURCES.rglob("*.py")):
        if path.is_relative_to(SOURCES / "faults"):
            continue  # Nobody's API but the local cloud's own.
        products = _products_of(path)
        for function, call in _calls_in_functions(_tree(path)):
            if _called(call) in _CONSTRUCTORS and call.args:
                place = f"{path.relative_to(SOURCES)}:{function.name}"
                for product in products:
                    texts = _texts(_template(call.args[0]), function, product) - {"*"}
                    found |= {Code(product=product, text=text, place=place) for text in texts}
        for setting in (call for call in _all_calls(_tree(path)) if _called(call) == "BucketSetting"):
            for word in setting.keywords:
                if word.arg == "missing" and isinstance(word.value, ast.Constant):
                    found.add(Code(product="oss", text=str(word.value.value), place=f"{path.name}:SETTINGS"))
    return sorted(found)


def served_actions() -> set[tuple[str, str]]:
    """Give product and name of every action that is served."""
    rpc = {(service.code, name) for service in SERVICES for name in service.handlers()}
    return rpc | {("oss", name) for name in operation_names()}


def words_of_tests(*folders: str) -> Mapping[str, frozenset[str]]:
    """Give, for each product, what the tests that import its SDK write: texts, and names of what they call.

    Helpers count as tests do. `GATEWAY` has the words of all.

    Args:
        folders: Folders of `tests`.
    """
    words: dict[str, set[str]] = {GATEWAY: set()}
    for path in (path for folder in folders for path in sorted((TESTS / folder).glob("*.py"))):
        if path.name in _NOT_COUNTED:
            continue
        written = set(_words(_tree(path)))
        for product in _imported_products(path):
            words.setdefault(product, set()).update(written)
        words[GATEWAY] |= written
    return {product: frozenset(some) for product, some in words.items()}


def is_called(action: str, words: frozenset[str]) -> bool:
    """Say whether tests that write these words call an action.

    A client's method has the action's name in some spelling (`describe_vswitches`). A name with a gap, as in
    `getattr(client, f"create_load_balancer_{protocol}listener")`, counts for what the tests fill gaps with.
    """
    names, wanted = _names(words), _squashed(action)
    if wanted in names:
        return True
    for head, _, tail in (name.partition("*") for name in names if "*" in name):
        if len(head + tail) > _LEAST and wanted.startswith(head) and wanted.endswith(tail):
            filling = wanted[len(head) : len(wanted) - len(tail)]
            if filling in words:
                return True
    return False


@cache
def _folded(words: frozenset[str]) -> frozenset[str]:
    return frozenset(word.casefold() for word in words)


@cache
def _names(words: frozenset[str]) -> frozenset[str]:
    return frozenset(map(_squashed, words))


def _squashed(name: str) -> str:
    return name.replace("_", "").lower()


def _products_of(path: Path) -> tuple[str, ...]:
    first, *rest = path.relative_to(SOURCES).parts
    if first == "services" and len(rest) > 1:
        return _SHARED.get(rest[0], (rest[0],))
    return (GATEWAY,)


def _texts(template: Sequence[ast.expr], function: ast.FunctionDef, product: str, depth: int = 3) -> set[str]:
    """Give the texts that a template can become by what the function's callers, and theirs, hand over."""
    names = [arg.arg for arg in function.args.args]
    if not depth or not any(isinstance(part, ast.Name) and part.id in names for part in template):
        return {"".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in template)}
    found: set[str] = set()
    for caller, call in _callers(product).get(function.name, ()):
        handed = _handed(names, call)
        filled = [handed.get(part.id, part) if isinstance(part, ast.Name) else part for part in template]
        found |= _texts(filled, caller, product, depth - 1)
    return found


def _template(argument: ast.expr) -> list[ast.expr]:
    parts = argument.values if isinstance(argument, ast.JoinedStr) else [argument]
    return [part.value if isinstance(part, ast.FormattedValue) else part for part in parts]


def _handed(names: list[str], call: ast.Call) -> dict[str, ast.expr]:
    return {
        **dict(zip([name for name in names if name not in ("self", "cls")], call.args, strict=False)),
        **{word.arg: word.value for word in call.keywords if word.arg},
    }


@cache
def _callers(product: str) -> Mapping[str, list[tuple[ast.FunctionDef, ast.Call]]]:
    """Give, by the name of what is called, each call in a product's sources with the function that it is in."""
    found: dict[str, list[tuple[ast.FunctionDef, ast.Call]]] = {}
    for path in _sources_of(product):
        for function, call in _calls_in_functions(_tree(path)):
            found.setdefault(_called(call), []).append((function, call))
    return found


def _sources_of(product: str) -> list[Path]:
    shared = [name for name, products in _SHARED.items() if product in products]
    folders = [SOURCES / "services" / product, *(SOURCES / "services" / name for name in shared)]
    return [path for folder in folders for path in sorted(folder.rglob("*.py"))]


def _all_calls(node: ast.AST) -> Iterator[ast.Call]:
    return (inner for inner in ast.walk(node) if isinstance(inner, ast.Call))


def _calls_in_functions(tree: ast.Module) -> Iterator[tuple[ast.FunctionDef, ast.Call]]:
    for function in ast.walk(tree):
        if isinstance(function, ast.FunctionDef):
            yield from ((function, call) for call in _all_calls(function))


def _called(call: ast.Call) -> str:
    if isinstance(call.func, ast.Attribute):
        return call.func.attr
    return call.func.id if isinstance(call.func, ast.Name) else ""


def _words(tree: ast.Module) -> Iterator[str]:
    told = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}  # Docstrings.
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in told:
            yield from node.value.split()
        elif isinstance(node, ast.Attribute):
            yield node.attr
        elif isinstance(node, ast.JoinedStr):
            yield "".join(str(part.value) if isinstance(part, ast.Constant) else "*" for part in node.values)


def _imported_products(path: Path) -> Iterator[str]:
    text = path.read_text(encoding="utf-8")
    for code in {service.code for service in SERVICES}:
        package = _OWN_CLIENTS.get(code, rf"alibabacloud_{code}\d")
        if re.search(rf"^(from|import) {package}", text, re.MULTILINE):
            yield code


@cache
def _tree(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))
