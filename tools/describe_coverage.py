"""Write what the local cloud serves of each product: `python tools/describe_coverage.py [--check]`.

The actions are those of the shipped schema, which is distilled from the vendor's SDK packages; OSS is no RPC product,
and its operations are those that the package alibabacloud-oss-v2 calls. `--check` writes nothing and exits with 1 where
the page is not what it would write.
"""

from __future__ import annotations

import argparse
import importlib.util
import re
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from steelyard.localcloud.services import SERVICES
from steelyard.localcloud.services.oss.actions import OssService, operation_names
from steelyard.localcloud.wire.schema import VERSION_ALIASES, load_schema

PAGE = Path(__file__).parents[1] / "docs" / "reference" / "coverage.md"

HEAD = """# What the local cloud serves

Each action of the products that a training cluster uses, as done or not. An action that is not done is refused with the
gateway's own `InvalidAction.NotFound` (OSS: `NotImplemented`), is counted, shown by `steelyard cloud status`, and never
leaves the machine. What a done action leaves out is refused by name, or said in the documents of its product.

This file is written by `tools/describe_coverage.py`; a test holds it to the services.

"""

NAMES = {
    "vpc": "Virtual Private Cloud",
    "ecs": "Elastic Compute Service",
    "slb": "Classic Load Balancer",
    "nlb": "Network Load Balancer",
    "alb": "Application Load Balancer",
    "ess": "Auto Scaling",
    "ram": "Resource Access Management",
    "sts": "Security Token Service",
    "cms": "CloudMonitor",
    "cas": "Certificate Management",
    "bssopenapi": "Billing",
    "tag": "Tag",
    "nas": "File Storage (NAS)",
    "oss": "Object Storage Service",
}


@dataclass(frozen=True, kw_only=True)
class Coverage:
    """What is served of one product."""

    code: str
    version: str
    done: tuple[str, ...]
    open: tuple[str, ...]

    @property
    def total(self) -> int:
        return len(self.done) + len(self.open)

    def row(self) -> str:
        share = f"{100 * len(self.done) / self.total:.0f} %"
        title = f"[{NAMES.get(self.code, self.code)}](#{self.code})"
        return f"| {title} | {self.version} | {len(self.done)} | {self.total} | {share} |"

    def section(self) -> str:
        done = ", ".join(f"`{name}`" for name in self.done) or "none"
        rest = ", ".join(self.open) or "none"
        return f"## {self.code}\n\nDone: {done}\n\nNot done: {rest}\n"


def coverages() -> Iterator[Coverage]:
    """Give the coverage of each product in the schema, and of OSS."""
    schema = load_schema()
    served = {(service.version, name) for service in SERVICES for name in service.handlers()}
    products: dict[tuple[str, str], list[str]] = {}
    for version, name in schema.actions():
        action = schema.action(version, name)
        assert action is not None
        products.setdefault((action.product, version), []).append(name)
    for (code, version), names in sorted(products.items()):
        yield cover(code, version, names, {name for name in names if (version, name) in served})
    yield cover(OssService.code, OssService.version, sdk_operations(), operation_names())


def cover(code: str, version: str, names: list[str], done: set[str] | frozenset[str]) -> Coverage:
    return Coverage(
        code=code,
        version=version,
        done=tuple(sorted(done)),
        open=tuple(sorted(set(names) - done)),
    )


def sdk_operations() -> list[str]:
    """Name the operations that the vendor's package for OSS calls."""
    spec = importlib.util.find_spec("alibabacloud_oss_v2")
    assert spec is not None
    assert spec.origin is not None
    folder = Path(spec.origin).parent / "operations"
    texts = (path.read_text(encoding="utf-8") for path in sorted(folder.glob("*.py")))
    return sorted({name for text in texts for name in re.findall(r"op_name\s*=\s*'(\w+)'", text)})


def page() -> str:
    """Return the text of the page."""
    found = sorted(coverages(), key=lambda one: one.code)
    num_done, total = sum(len(one.done) for one in found), sum(one.total for one in found)
    aliases = ", ".join(f"{old} is answered as {new}" for old, new in sorted(VERSION_ALIASES.items()))
    table = ["| product | version | done | of | |", "|---|---|---|---|---|", *(one.row() for one in found)]
    summary = f"{num_done} of {total} actions are done. Of versions, {aliases}.\n\n"
    return HEAD + summary + "\n".join(table) + "\n\n" + "\n".join(one.section() for one in found)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 where it differs")
    text = page()
    if not parser.parse_args().check:
        PAGE.parent.mkdir(parents=True, exist_ok=True)
        PAGE.write_text(text, encoding="utf-8")
        return 0
    if not PAGE.exists() or PAGE.read_text(encoding="utf-8") != text:
        sys.stderr.write(f"{PAGE.name} is not that of the services: run python tools/describe_coverage.py\n")
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main())
