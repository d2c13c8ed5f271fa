"""The text of the Python standard library, character by character."""

from __future__ import annotations

import sysconfig
from dataclasses import dataclass
from pathlib import Path

import torch
from torch.utils.data import Dataset

FIRST, LAST = 0x20, 0x7E
NUM_SYMBOLS = LAST - FIRST + 3  # the printable ASCII characters, the newline, and one for all others
_OTHER, _NEWLINE = 0, NUM_SYMBOLS - 1
_SYMBOLS = bytes(
    byte - FIRST + 1 if FIRST <= byte <= LAST else _NEWLINE if byte == ord("\n") else _OTHER
    for byte in range(256)
)
HELD_OUT_EVERY = 10


class Chunks(Dataset[tuple[torch.Tensor, torch.Tensor]]):
    """Pieces of `length` symbols, each with the symbols that follow: int64 tensors of shape (length,)."""

    def __init__(self, text: bytes, length: int) -> None:
        self._symbols = torch.frombuffer(bytearray(text.translate(_SYMBOLS)), dtype=torch.uint8)
        self._length = length

    def __len__(self) -> int:
        return (len(self._symbols) - 1) // self._length

    def __getitem__(self, index: int) -> tuple[torch.Tensor, torch.Tensor]:
        begin = index * self._length
        piece = self._symbols[begin : begin + self._length + 1].long()
        return piece[:-1], piece[1:]


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """Training text and held-out text, from different files."""

    train: Chunks
    held_out: Chunks


def load_corpus(length: int) -> Corpus:
    """Read the modules at the top of the standard library, about 5 MB; every tenth file is held out."""
    files = sorted(Path(sysconfig.get_path("stdlib")).glob("*.py"))
    held_out = files[::HELD_OUT_EVERY]
    train = [file for file in files if file not in held_out]
    return Corpus(train=Chunks(_join(train), length), held_out=Chunks(_join(held_out), length))


def _join(files: list[Path]) -> bytes:
    return b"\n".join(file.read_bytes() for file in files)
