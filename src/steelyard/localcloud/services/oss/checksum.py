"""CRC-64 of ECMA-182 as OSS gives it in `x-oss-hash-crc64ecma`, and of two texts joined from those of each."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from typing import cast

_POLYNOMIAL = 0x142F0E1EBA9EA3693
_REVERSED = 0xC96C5795D7870F42
_ALL_ONES = 0xFFFFFFFFFFFFFFFF
_NUM_BITS = 64

_Matrix = tuple[int, ...]


@cache
def _crc_function() -> Callable[[bytes, int], int]:
    import crcmod

    return cast(Callable[[bytes, int], int], crcmod.mkCrcFun(_POLYNOMIAL, 0, True, _ALL_ONES))


def extend_crc64(crc: int, data: bytes) -> int:
    """Give the checksum of what `crc` is the checksum of (0 of nothing), followed by `data`."""
    return _crc_function()(data, crc)


def join_crc64(first: int, second: int, num_bytes: int) -> int:
    """Give the checksum of two texts, one after the other.

    Moving a checksum on by a zero bit is a linear map over GF(2); its powers of two are squared together (the method of
    zlib's `crc32_combine`), so that it takes microseconds whatever the length.

    Args:
        first: Checksum of the first text.
        second: Checksum of the second.
        num_bytes: Length of the second.
    """
    power = 3  # 2 ** 3 bits are the first byte.
    while num_bytes:
        if num_bytes & 1:
            first = _apply(_zeros(power), first)
        num_bytes >>= 1
        power += 1
    return first ^ second


@cache
def _zeros(power: int) -> _Matrix:
    """Give the map that moves a checksum on by 2 ** power zero bits: the images of each bit."""
    if power == 0:
        return (_REVERSED, *(1 << bit for bit in range(_NUM_BITS - 1)))
    half = _zeros(power - 1)
    return tuple(_apply(half, row) for row in half)


def _apply(matrix: _Matrix, vector: int) -> int:
    image = 0
    for row in matrix:
        if not vector:
            return image
        if vector & 1:
            image ^= row
        vector >>= 1
    return image
