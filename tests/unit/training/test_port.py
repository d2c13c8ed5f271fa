"""A port that is chosen for somebody else is nobody's until that one listens there."""

from __future__ import annotations

import socket
from pathlib import Path

import pytest

from steelyard.training import port
from steelyard.training.port import first_given_port, free_port


def test_a_free_port_is_none_that_the_kernel_gives_to_who_asks_for_any() -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        assert free_port() < first_given_port() <= other.getsockname()[1]


def test_a_port_that_is_taken_on_any_address_is_not_free(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(port, "_NUM_PORTS", 2)
    taken = free_port()
    with socket.socket() as other:
        other.bind(("127.0.0.2", taken))
        assert all(free_port() != taken for _ in range(20))


def test_where_the_kernel_gives_all_ports_one_of_those_is_taken(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "range").write_text("1024\t65535\n")
    monkeypatch.setattr(port, "_GIVEN", tmp_path / "range")
    assert free_port() >= 1024
