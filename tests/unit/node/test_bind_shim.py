from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from steelyard.node.shim import compile_shim

needs_compiler = pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler")

BIND = """
import socket, sys
for family, address in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::"), (socket.AF_INET, "127.0.0.1")):
    with socket.socket(family) as it:
        it.bind((address, 0))
        print(it.getsockname()[0])
"""


def bound_addresses(library: Path | None, address: str | None) -> list[str]:
    environment = {"PATH": os.environ["PATH"]}
    if library is not None:
        environment["LD_PRELOAD"] = str(library)
    if address is not None:
        environment["STEELYARD_BIND_ADDRESS"] = address
    done = subprocess.run(
        [sys.executable, "-S", "-c", BIND], env=environment, capture_output=True, text=True, check=True
    )
    assert done.stderr == ""
    return done.stdout.split()


@needs_compiler
def test_only_wildcard_binds_go_to_the_private_address(tmp_path: Path) -> None:
    library = compile_shim(tmp_path / "cache")
    assert bound_addresses(library, "127.99.1.2") == ["127.99.1.2", "::ffff:127.99.1.2", "127.0.0.1"]


@needs_compiler
@pytest.mark.parametrize("address", [None, "", "not an address"])
def test_without_an_address_nothing_is_changed(tmp_path: Path, address: str | None) -> None:
    assert bound_addresses(compile_shim(tmp_path), address) == ["0.0.0.0", "::", "127.0.0.1"]


@needs_compiler
def test_the_shim_is_compiled_once(tmp_path: Path) -> None:
    library = compile_shim(tmp_path)
    assert library is not None
    compiled_at = library.stat().st_mtime_ns
    assert compile_shim(tmp_path) == library
    assert library.stat().st_mtime_ns == compiled_at
    assert list(tmp_path.iterdir()) == [library]


def test_a_machine_without_a_compiler_goes_without(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    assert compile_shim(tmp_path / "cache") is None


def test_a_compiler_that_fails_leaves_nothing_behind(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    compiler = tmp_path / "cc"
    compiler.write_text("#!/bin/sh\nexit 1\n")
    compiler.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tmp_path}:/usr/bin:/bin")
    assert compile_shim(tmp_path / "cache") is None
    assert list((tmp_path / "cache").iterdir()) == []
