"""What a check by a call of gRPC takes for good, whichever way a server writes its answer."""

from __future__ import annotations

import re

import pytest

from steelyard.localcloud.proxy.grpc_check import HEALTH_PATH, grpc_check_lines

# `grpc-status` and its values, plain as gRPC's C core and Netty write them, and in Huffman's code as h2 of Rust does.
NAMES = (b"\x0bgrpc-status", bytes.fromhex("889acac8b21234da8f"))
VALUES = {0: (b"\x010", b"\x81\x07"), 12: (b"\x0212", b"\x82\x08\xbf")}
SERVING, NOT_SERVING = bytes.fromhex("00000000020801"), bytes.fromhex("00000000020802")
FORMS = [(name, form) for name in range(2) for form in range(2)]


def answer(code: int, message: bytes = b"", form: tuple[int, int] = (0, 0)) -> str:
    header = b"\x40" + NAMES[form[0]] + VALUES[code][form[1]]
    return (b"\x88 head " + message + header).hex().upper()


def takes(text: str, *codes: int, path: str = HEALTH_PATH) -> tuple[bool, bool]:
    """Tell whether an answer is seen to be whole, and whether it is a good one."""
    *_, whole, good = (line.split()[-1] for line in grpc_check_lines(path, "localhost", "POST", codes))
    return re.search(whole, text) is not None, re.search(good, text) is not None


@pytest.mark.parametrize("form", FORMS)
def test_a_status_is_found_however_it_is_written(form):
    assert takes(answer(12, form=form), 12) == (True, True)
    assert takes(answer(12, form=form), 0, 1, 2) == (True, False)
    assert takes(answer(0, SERVING, form), 0) == (True, True)


def test_the_health_service_has_to_serve_and_another_method_only_to_answer():
    assert takes(answer(0, NOT_SERVING), 0) == (True, False)
    assert takes(answer(0, NOT_SERVING), 0, 12) == (True, False)
    assert takes(answer(12), 0, 12) == (True, True)
    assert takes(answer(0), 0, path="/test.Names/Name") == (True, True)


def test_an_answer_without_a_status_is_not_whole():
    assert takes((b"\x88 head " + SERVING).hex().upper(), 0) == (False, False)
