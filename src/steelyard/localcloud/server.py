from __future__ import annotations

import asyncio
import json
from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict
from typing import Any
from urllib.parse import parse_qsl

from steelyard.localcloud import unserved
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.faults.door import FaultDoor
from steelyard.localcloud.metadata import MetadataService
from steelyard.localcloud.services.oss.actions import OssService
from steelyard.localcloud.services.oss.signature import claims_storage
from steelyard.localcloud.storage_door import StorageDoor
from steelyard.localcloud.wire.message import WireRequest
from steelyard.localcloud.wire.xml import answer_root, render_xml

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_METADATA_PREFIX = "/metadata/"
_JSON, _XML = "application/json;charset=utf-8", "text/xml;charset=utf-8"
# RunInstances takes 16 KiB of user data before its base64 and percent encodings; nothing else comes near.
_MAX_BODY_BYTES = 4 << 20


class App:
    """The local cloud as an ASGI application: the API at `/`, the instances' metadata under `/metadata/`, faults.

    Calls run in a few threads and not on the event loop: they are quick but for the cloud's lock, which a service's own
    thread may hold, and a loop that waits for it could not even accept a connection. Calls of products that do nothing
    but read and write the state are answered on the loop, where the lock is free.

    Args:
        cloud: What answers the API's calls.
        metadata: What answers instances.
        faults: What answers whoever asks for faults.
    """

    def __init__(self, cloud: Cloud, metadata: MetadataService, faults: FaultDoor) -> None:
        self._cloud = cloud
        self._faults = faults
        self._metadata = metadata
        oss = cloud.services.get("oss")
        self._storage = StorageDoor(oss, cloud.endpoint) if isinstance(oss, OssService) else None
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="call")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        headers = _read_headers(scope)
        if self._storage is not None and _is_storage(scope, headers):
            await self._storage.answer(scope, headers, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            await _send(send, 413, "text/plain", b"")
            return
        request = WireRequest(
            method=scope["method"],
            path=scope["path"],
            query_string=scope["query_string"].decode("latin-1"),
            headers=headers,
            body=body,
            client=(scope.get("client") or ("",))[0],
        )
        status, content_type, content = await self._answer_somewhere(request)
        await _send(send, status, content_type, content)

    async def _answer_somewhere(self, request: WireRequest) -> tuple[int, str, bytes]:
        # The way to a thread and back costs as much as a quick answer does.
        if self._cloud.is_quick(request) and self._cloud.store.take_if_free():
            try:
                return self._answer(request)
            finally:
                self._cloud.store.give_back()
        loop = asyncio.get_running_loop()
        return await loop.run_in_executor(self._threads, self._answer, request)

    def _answer(self, request: WireRequest) -> tuple[int, str, bytes]:
        if request.path == unserved.PATH:
            entries = [asdict(entry) for entry in self._cloud.unserved.list()]
            return 200, _JSON, json.dumps(entries).encode()
        if FaultDoor.is_meant(request.path, request.headers.get("authorization", "")):
            status, content = self._faults.answer(request)
            return status, _JSON, content
        if request.path.startswith(_METADATA_PREFIX):
            reply = self._metadata.answer(request, request.path.removeprefix(_METADATA_PREFIX))
            return reply.status, "text/plain", reply.text.encode()
        answer = self._cloud.answer(request)
        if _wants_xml(request):
            root = answer_root(request.action, is_error=answer.status >= 400)
            return answer.status, _XML, render_xml(root, answer.body).encode()
        content = json.dumps(answer.body, ensure_ascii=False, separators=(",", ":")).encode()
        return answer.status, _JSON, content

    def close(self) -> None:
        """End the threads, once the calls in them are answered."""
        self._threads.shutdown()
        if self._storage is not None:
            self._storage.close()


def _wants_xml(request: WireRequest) -> bool:
    """Tell whether an answer is XML.

    Without a `Format` a call under the older signature gets XML, the documented default of ECS, RDS and others (Auto
    Scaling's page says JSON); every SDK sends it. A call under the newer one has no such parameter, and gets JSON.
    """
    wanted = request.parameters.get("Format", "")
    return wanted.upper() == "XML" or not (wanted or request.headers.get("x-acs-action"))


def _is_storage(scope: Scope, headers: Mapping[str, str]) -> bool:
    path = scope["path"]
    is_signed = "authorization" in headers
    if (path == unserved.PATH or path.startswith(_METADATA_PREFIX)) and not is_signed:
        return False
    if FaultDoor.is_meant(path, headers.get("authorization", "")):
        return False
    query = (
        {} if is_signed else dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
    )
    return claims_storage(headers, path, query)


async def _read_body(receive: Receive) -> bytes | None:
    parts: list[bytes] = []
    num_bytes = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return b"".join(parts)
        num_bytes += len(message.get("body", b""))
        if num_bytes > _MAX_BODY_BYTES:
            return None
        parts.append(message.get("body", b""))
        if not message.get("more_body"):
            return b"".join(parts)


def _read_headers(scope: Scope) -> dict[str, str]:
    headers: dict[str, str] = {}
    for raw_name, raw_value in scope["headers"]:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        headers[name] = f"{headers[name]},{value}" if name in headers else value
    return headers


async def _send(send: Send, status: int, content_type: str, content: bytes) -> None:
    headers = [
        (b"content-type", content_type.encode()),
        (b"content-length", str(len(content)).encode()),
    ]
    await send({"type": "http.response.start", "status": status, "headers": headers})
    await send({"type": "http.response.body", "body": content})
