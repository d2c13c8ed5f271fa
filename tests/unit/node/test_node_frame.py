from __future__ import annotations

import asyncio
import io

import pytest

from steelyard.node import frame
from steelyard.node.frame import pack_frame, read_frame, read_frame_now


def read_all(body: bytes) -> list[dict[str, object] | None]:
    async def story() -> list[dict[str, object] | None]:
        reader = asyncio.StreamReader()
        reader.feed_data(body)
        reader.feed_eof()
        messages = []
        while messages[-1:] != [None]:
            messages.append(await read_frame(reader))
        return messages

    return asyncio.run(story())


def test_messages_arrive_whole_and_in_order() -> None:
    first, second = {"state": "ready", "detail": ""}, {"id": 7, "result": {"text": "ü" * 100_000}}
    assert read_all(pack_frame(first) + pack_frame(second)) == [first, second, None]


def test_a_message_that_is_cut_short_is_the_end() -> None:
    body = pack_frame({"id": 1})
    assert read_all(body[:-1]) == [None]
    assert read_frame_now(io.BytesIO(body[:-1])) is None
    assert read_frame_now(io.BytesIO(body[:2])) is None
    assert read_frame_now(io.BytesIO(body)) == {"id": 1}


def test_a_length_beyond_the_bound_is_not_believed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "MAX_FRAME_BYTES", 10)
    with pytest.raises(ValueError, match="larger than 10"):
        pack_frame({"text": "more than ten bytes"})
    with pytest.raises(ValueError, match="larger than 10"):
        read_frame_now(io.BytesIO(b"\x00\x00\x00\xff{}"))


def test_a_message_is_an_object() -> None:
    with pytest.raises(ValueError, match="not list"):
        read_frame_now(io.BytesIO(b"\x00\x00\x00\x02[]"))
