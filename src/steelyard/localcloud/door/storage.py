"""OSS on the cloud's one port: bodies stream to and from the disk, so that no object is ever whole in memory."""

from __future__ import annotations

import asyncio
import base64
import logging
import re
import secrets
import time
from collections.abc import Awaitable, Callable, Iterator, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any, TypeVar
from urllib.parse import parse_qsl

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.actions import Errand, OssService
from steelyard.localcloud.services.oss.blob import Blob, BlobWriter
from steelyard.localcloud.services.oss.request import Body, StorageAnswer, StorageRequest
from steelyard.localcloud.services.oss.text import plain_path
from steelyard.localcloud.wire.error import ApiError
from steelyard.localcloud.wire.xml import render_xml

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
T = TypeVar("T")

_MAX_DOCUMENT_BYTES = 2 << 20
_MAX_OBJECT_BYTES = 5 << 30
"""As much as the real OSS takes in one request."""
_BATCH_BYTES = 256 << 10
_WITHOUT_BODY = (204, 304)
# Names below `localhost` lead to this machine with many resolvers (RFC 6761, section 6.3).
_BUCKET_HOST = re.compile(r"([a-z0-9-]+)\.(?:oss-[a-z0-9-]+\.aliyuncs\.com|localhost)(?::\d+)?")

_log = logging.getLogger(__name__)


class StorageDoor:
    """Answers the HTTP requests that are OSS's, each a call of one bucket by its path or by its host name.

    Args:
        service: What serves them.
        endpoint: Host and port of the cloud.
    """

    def __init__(self, service: OssService, endpoint: str) -> None:
        self._service = service
        self._endpoint = endpoint
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="storage")

    async def answer(self, scope: Scope, headers: Mapping[str, str], receive: Receive, send: Send) -> None:
        """Answer one request.

        Args:
            scope: ASGI's description of it.
            headers: Its headers by lower-case name.
            receive: Gives its body.
            send: Takes the answer.
        """
        raw_query = scope["query_string"].decode("latin-1")
        request = _read_request(scope, headers, raw_query, self._endpoint)
        body, started_at = _BodyReader(receive), time.monotonic()
        try:
            answer, held = await self._carry_out(request, raw_query, body)
        except _ClientGone:
            return
        except ApiError as err:
            answer, held = _error_answer(request, err, self._endpoint), ()
        except Exception as err:  # noqa: BLE001 - an operation's bug must answer 500 and leave the cloud standing
            _log.exception("%s %s of OSS failed", request.method, scope["path"])
            text = f"We encountered an internal error: {type(err).__name__}: {err}"
            answer, held = _error_answer(request, ApiError("InternalError", text, 500), self._endpoint), ()
        try:
            if "origin" in headers:
                answer = await self._in_thread(lambda: self._for_browser(request, answer))
            # An answer before the end of a body would be lost by clients that are still sending.
            await body.drain()
            await self._send(request, answer, send, started_at)
        except _ClientGone:
            return
        finally:
            self._service.blobs.release(held)

    def _for_browser(self, request: StorageRequest, answer: StorageAnswer) -> StorageAnswer:
        return replace(answer, headers={**answer.headers, **self._service.cors.answer_headers(request)})

    async def _carry_out(
        self, request: StorageRequest, raw_query: str, body: _BodyReader
    ) -> tuple[StorageAnswer, tuple[str, ...]]:
        request, errand = await self._in_thread(lambda: self._admit(request, raw_query))
        kind = errand.operation.body
        if kind is Body.OBJECT:
            return await self._store(request, errand, body)
        if kind is Body.DOCUMENT:
            request = replace(request, document=await body.document())
        return await self._in_thread(lambda: self._service.run(errand, request))

    def _admit(self, request: StorageRequest, raw_query: str) -> tuple[StorageRequest, Errand]:
        request = self._service.lead(self._service.verify(request, raw_query))
        return request, self._service.find(request)

    async def _store(
        self, request: StorageRequest, errand: Errand, body: _BodyReader
    ) -> tuple[StorageAnswer, tuple[str, ...]]:
        writer = await self._in_thread(lambda: self._service.writer(request))
        blob = await self._receive_blob(writer, body)
        try:
            stored = replace(request, blob=blob)
            return await self._in_thread(lambda: self._service.run(errand, stored))
        except Exception:
            # Nothing was committed, so nothing refers to it. Where the task was cancelled, its thread goes on and may
            # commit yet: what nothing refers to is removed at the next start.
            self._service.blobs.remove([blob.name])
            raise

    async def _receive_blob(self, writer: BlobWriter, body: _BodyReader) -> Blob:
        try:
            num_bytes = 0
            async for data in body.batches():
                num_bytes += len(data)
                if num_bytes > _MAX_OBJECT_BYTES:
                    raise errors.entity_too_large(_MAX_OBJECT_BYTES)
                await self._in_thread(lambda data=data: writer.write(data))  # type: ignore[misc]
            return writer.close()
        except Exception:  # Where the task was cancelled, a thread may be writing still.
            writer.discard()
            raise

    async def _send(
        self, request: StorageRequest, answer: StorageAnswer, send: Send, started_at: float
    ) -> None:
        length = len(answer.content) or answer.end - answer.start
        headers = {
            "Server": "AliyunOSS",
            "x-oss-request-id": request.request_id,
            "x-oss-server-time": str(round(1000 * (time.monotonic() - started_at))),
            **answer.headers,
        }
        if answer.status not in _WITHOUT_BODY:
            headers["Content-Length"] = str(length)
            if length:
                headers["Content-Type"] = answer.content_type
        raw = [(name.lower().encode("latin-1"), _header_bytes(value)) for name, value in headers.items()]
        await send({"type": "http.response.start", "status": answer.status, "headers": raw})
        if not answer.content and request.method != "HEAD":
            chunks: Iterator[bytes] = self._service.blobs.read(answer.segments, answer.start, answer.end)
            while data := await self._in_thread(lambda: next(chunks, b"")):
                await send({"type": "http.response.body", "body": data, "more_body": True})
        await send({"type": "http.response.body", "body": answer.content})

    async def _in_thread(self, call: Callable[[], T]) -> T:
        return await asyncio.get_running_loop().run_in_executor(self._threads, call)

    def close(self) -> None:
        """End the threads, once what they do is done."""
        self._threads.shutdown()


class _ClientGone(Exception):
    """The client closed its connection in the middle of its request."""


class _BodyReader:
    """Reads a request's body, once."""

    def __init__(self, receive: Receive) -> None:
        self._receive = receive
        self._is_over = False

    async def _next(self) -> bytes:
        message = await self._receive()
        if message["type"] == "http.disconnect":
            raise _ClientGone
        self._is_over = not message.get("more_body")
        data: bytes = message.get("body", b"")
        return data

    async def batches(self) -> Any:
        """Give it in pieces that are worth a thread's while."""
        parts: list[bytes] = []
        num_bytes = 0
        while not self._is_over:
            parts.append(await self._next())
            num_bytes += len(parts[-1])
            if num_bytes >= _BATCH_BYTES:
                yield b"".join(parts)
                parts, num_bytes = [], 0
        if num_bytes:
            yield b"".join(parts)

    async def document(self) -> bytes:
        """Give all of it, which is a document.

        Raises:
            StorageError: `EntityTooLarge`.
        """
        content = bytearray()
        while not self._is_over:
            content += await self._next()
            if len(content) > _MAX_DOCUMENT_BYTES:
                raise errors.entity_too_large(_MAX_DOCUMENT_BYTES)
        return bytes(content)

    async def drain(self) -> None:
        """Take the rest, and leave it."""
        while not self._is_over:
            await self._next()


def _read_request(scope: Scope, headers: Mapping[str, str], raw_query: str, endpoint: str) -> StorageRequest:
    path = plain_path(scope["raw_path"].decode("ascii"))
    bucket, key, root = _place(path, headers.get("host", ""), endpoint)
    return StorageRequest(
        method=scope["method"],
        bucket=bucket,
        key=key,
        query=dict(parse_qsl(raw_query, keep_blank_values=True)),
        headers=headers,
        request_id=secrets.token_hex(12).upper(),
        caller=None,
        source_address=(scope.get("client") or ("",))[0],
        is_secure=scope["scheme"] == "https",
        root=root,
    )


def _place(path: str, host: str, endpoint: str) -> tuple[str, str, str]:
    """Tell bucket, key and the bucket's path: the bucket is in the path, or in front of the host's name."""
    match = _BUCKET_HOST.fullmatch(host)
    if match is not None:
        return match[1], path.removeprefix("/"), "/"
    if host.endswith(f".{endpoint}"):
        return host.removesuffix(f".{endpoint}"), path.removeprefix("/"), "/"
    bucket, _, key = path.removeprefix("/").partition("/")
    return bucket, key, f"/{bucket}/"


def _error_answer(request: StorageRequest, err: ApiError, endpoint: str) -> StorageAnswer:
    details: Mapping[str, str] = {}
    headers: Mapping[str, str] = {}
    if isinstance(err, errors.StorageError):
        details, headers = err.details, err.headers
    body = {
        "Code": err.code,
        "Message": err.message,
        "RequestId": request.request_id,
        "HostId": request.header("host", endpoint),
        **details,
    }
    content = render_xml("Error", body).encode()
    if err.status in _WITHOUT_BODY:
        return StorageAnswer(status=err.status, headers=headers)
    if request.method == "HEAD":
        # An answer to HEAD has no body; the SDKs read the error here.
        told = base64.b64encode(content).decode()
        return StorageAnswer(status=err.status, headers={**headers, "x-oss-err": told})
    return StorageAnswer(status=err.status, headers=headers, content=content)


def _header_bytes(value: str) -> bytes:
    # A header that came in was read as Latin-1; a text of ours may hold more.
    try:
        return value.encode("latin-1")
    except UnicodeEncodeError:
        return value.encode("utf-8")
