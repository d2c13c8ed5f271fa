"""How the cloud speaks HTTP, to clients that write their requests in other ways than the vendor's do."""

from __future__ import annotations

import itertools
import json
import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPResponse
from typing import Any
from urllib.parse import urlencode

import pytest
from alibabacloud_tea_openapi.utils import Utils

from steelyard.localcloud.daemon import CloudInfo

REGION = "cn-hangzhou"
_nonces = itertools.count()


def signed(cloud: CloudInfo, action: str, *, method: str = "POST", **parameters: str) -> str:
    """Write a call's parameters, signed by the vendor's own code."""
    products = {"DescribeVpcs": "2016-04-28", "DescribeZones": "2014-05-26"}
    fields = {
        "Action": action,
        "Version": products[action],
        "Format": "JSON",
        "RegionId": REGION,
        "AccessKeyId": cloud.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": f"connection-{next(_nonces)}",
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **parameters,
    }
    fields["Signature"] = Utils.get_rpcsignature(fields, method, cloud.access_key_secret)
    return urlencode(fields)


def written(
    query: str, body: bytes = b"", *headers: str, method: str = "POST", version: str = "HTTP/1.1"
) -> bytes:
    """Write a request with its body's length, unless its headers say how long it is."""
    is_chunked = any(header.startswith("Transfer-Encoding") for header in headers)
    length = [] if is_chunked else [f"Content-Length: {len(body)}"]
    kind = "Content-Type: application/x-www-form-urlencoded"
    lines = [
        f"{method} /?{query} {version}".replace("/? ", "/ "),
        "Host: cloud.test",
        kind,
        *length,
        *headers,
    ]
    return "\r\n".join([*lines, "", ""]).encode() + body


@contextmanager
def connected(cloud: CloudInfo, *, over_tls: bool = False) -> Iterator[socket.socket]:
    host, port = cloud.endpoint.split(":")
    with socket.create_connection((host, int(port)), timeout=30) as plain:
        if not over_tls:
            yield plain
            return
        context = ssl.create_default_context()
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        with context.wrap_socket(plain) as wrapped:
            yield wrapped


def answers(connection: socket.socket, number: int) -> list[Any]:
    """Read a number of answers off a connection, each with status 200."""
    reader = connection.makefile("rb")
    found = []
    for _ in range(number):
        response = HTTPResponse(_Reread(reader))
        response.begin()
        content = response.read()
        assert response.status == 200, content
        found.append(json.loads(content))
    return found


class _Reread:
    """What `HTTPResponse` takes for a socket: each would buffer what belongs to the next one."""

    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def makefile(self, mode: str) -> Any:
        return _Kept(self._reader)


class _Kept:
    def __init__(self, reader: Any) -> None:
        self._reader = reader

    def __getattr__(self, name: str) -> Any:
        return getattr(self._reader, name)

    def close(self) -> None:
        """Leave it open for the next answer."""


def is_closed(connection: socket.socket) -> bool:
    return connection.recv(1) == b""


@pytest.mark.parametrize("over_tls", [False, True])
def test_calls_that_come_at_once_are_answered_in_turn(local_cloud, over_tls):
    actions = ["DescribeVpcs", "DescribeZones", "DescribeVpcs", "DescribeVpcs", "DescribeZones"]
    with connected(local_cloud, over_tls=over_tls) as connection:
        connection.sendall(b"".join(written(signed(local_cloud, action)) for action in actions))
        found = answers(connection, len(actions))
    assert ["DescribeVpcs" if "Vpcs" in answer else "DescribeZones" for answer in found] == actions


def test_a_call_that_comes_while_another_is_answered_waits_for_it(local_cloud):
    with connected(local_cloud) as connection:
        for action in ("DescribeZones", "DescribeVpcs"):
            connection.sendall(written(signed(local_cloud, action)))
        first, second = answers(connection, 2)
    assert "Zones" in first
    assert "Vpcs" in second


def test_one_connection_serves_calls_of_all_kinds(local_cloud):
    with connected(local_cloud) as connection:
        for action in ["DescribeVpcs", "DescribeZones"] * 3:
            connection.sendall(written(signed(local_cloud, action)))
            assert action.removeprefix("Describe") in answers(connection, 1)[0]


@pytest.mark.parametrize("step", [1, 7, 4096])
def test_a_call_may_come_in_pieces(local_cloud, step):
    form = signed(local_cloud, "DescribeVpcs", VpcName="none of this name").encode()
    data = written("", form)
    with connected(local_cloud) as connection:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for start in range(0, len(data), step):
            connection.sendall(data[start : start + step])
        assert answers(connection, 1)[0]["TotalCount"] == 0


def test_a_body_may_come_after_its_head(local_cloud):
    with connected(local_cloud) as connection:
        for _ in range(3):
            data = written("", signed(local_cloud, "DescribeVpcs", VpcName="none of this name").encode())
            head, _, body = data.partition(b"\r\n\r\n")
            connection.sendall(head + b"\r\n\r\n")
            time.sleep(0.02)
            connection.sendall(body)
            assert answers(connection, 1)[0]["TotalCount"] == 0


def test_a_body_may_come_in_chunks(local_cloud):
    form = signed(local_cloud, "DescribeVpcs").encode()
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in (form[:50], form[50:], b""))
    with connected(local_cloud) as connection:
        connection.sendall(written("", chunks, "Transfer-Encoding: chunked"))
        assert "Vpcs" in answers(connection, 1)[0]


def test_a_client_may_wait_to_be_told_to_go_on(local_cloud):
    data = written("", signed(local_cloud, "DescribeVpcs").encode(), "Expect: 100-continue")
    head, _, body = data.partition(b"\r\n\r\n")
    with connected(local_cloud) as connection:
        connection.sendall(head + b"\r\n\r\n")
        assert connection.recv(1000) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(body)
        assert "Vpcs" in answers(connection, 1)[0]


@pytest.mark.parametrize(
    ("headers", "version"), [(["Connection: close"], "HTTP/1.1"), ([], "HTTP/1.0")], ids=["asked", "older"]
)
@pytest.mark.parametrize("action", ["DescribeVpcs", "DescribeZones"])
def test_a_connection_ends_where_the_client_wants_no_more(local_cloud, action, headers, version):
    with connected(local_cloud) as connection:
        connection.sendall(written(signed(local_cloud, action), b"", *headers, version=version))
        assert answers(connection, 1)
        assert is_closed(connection)


@pytest.mark.parametrize(
    "data",
    [b"GET / HTTP/9.9\r\n\r\n", b"POST / HTTP/1.1\r\nContent-Length: x\r\n\r\n", b"\r\0GET\r\n\r\n"],
    ids=["version", "length", "noise"],
)
def test_what_is_no_http_is_told_so(local_cloud, data):
    with connected(local_cloud) as connection:
        connection.sendall(written(signed(local_cloud, "DescribeVpcs")))
        assert answers(connection, 1)
        connection.sendall(data)
        assert connection.recv(1000).startswith(b"HTTP/1.1 400 ")
        assert is_closed(connection)
