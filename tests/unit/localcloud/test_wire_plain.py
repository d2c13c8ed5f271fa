from __future__ import annotations

import pytest

from steelyard.localcloud.wire.plain import read_plain

CLIENT = "127.0.0.1"


def test_a_plain_request_is_read_whole():
    data = b"POST /?A=1&B=%2F HTTP/1.1\r\nHost: cloud.test\r\nX-Acs-Action:\t DoIt \r\nContent-Length: 3\r\n\r\na=b"
    read = read_plain(data, CLIENT)
    assert read is not None
    request, num_missing = read
    assert num_missing == 0
    assert (request.method, request.path, request.client) == ("POST", "/", CLIENT)
    assert request.query == (("A", "1"), ("B", "/"))
    assert request.headers == {"host": "cloud.test", "x-acs-action": "DoIt", "content-length": "3"}
    assert request.body == b"a=b"


def test_a_request_needs_no_query_and_no_body():
    read = read_plain(b"GET / HTTP/1.1\r\nHost: cloud.test\r\nConnection: Keep-Alive\r\n\r\n", CLIENT)
    assert read is not None
    assert (read[0].query_string, read[0].body, read[1]) == ("", b"", 0)


def test_what_is_missing_of_a_body_or_follows_it_is_counted():
    data = b"POST / HTTP/1.1\r\nContent-Length: 5\r\n\r\n"
    found = [read_plain(data + body, CLIENT) for body in (b"", b"ab", b"abcdefgh")]
    assert [read[1] for read in found if read is not None] == [5, 3, -3]


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"POST / HTTP/1.1\r\nHost: cloud.test\r\n",
        b"HEAD / HTTP/1.1\r\nHost: cloud.test\r\n\r\n",
        b"GET /path HTTP/1.1\r\nHost: cloud.test\r\n\r\n",
        b"GET http://cloud.test/ HTTP/1.1\r\nHost: cloud.test\r\n\r\n",
        b"GET /?a#b HTTP/1.1\r\nHost: cloud.test\r\n\r\n",
        b"GET / HTTP/1.0\r\nHost: cloud.test\r\n\r\n",
        b"GET / HTTP/1.1\nHost: cloud.test\n\n",
        b"GET / HTTP/1.1\r\nHost: cloud.test\r\n folded\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost : cloud.test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: cloud\0test\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: a\r\nhost: b\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: close\r\n\r\n",
        b"GET / HTTP/1.1\r\nConnection: upgrade\r\nUpgrade: h2c\r\n\r\n",
        b"POST / HTTP/1.1\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: +1\r\n\r\na",
        b"POST / HTTP/1.1\r\nContent-Length: 123456789\r\n\r\n",
    ],
)
def test_what_is_not_known_for_certain_is_not_plain(data):
    assert read_plain(data, CLIENT) is None
