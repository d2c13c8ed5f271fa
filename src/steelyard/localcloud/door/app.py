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
from steelyard.localcloud.dispatch import Dispatcher
from steelyard.localcloud.door.storage import StorageDoor
from steelyard.localcloud.faults.door import FaultDoor
from steelyard.localcloud.metadata.items import BYTES_AS_THEY_ARE
from steelyard.localcloud.metadata.service import MetadataService
from steelyard.localcloud.services.oss.actions import OssService
from steelyard.localcloud.services.oss.signature import claims_storage
from steelyard.localcloud.wire.message import HttpReply, WireRequest, read_headers
from steelyard.localcloud.wire.xml import answer_root, render_xml

Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

_METADATA_PREFIX = "/metadata/"
_JSON, _XML = "application/json;charset=utf-8", "text/xml;charset=utf-8"
# RunInstances takes 16 KiB of user data before its base64 and percent encodings; nothing else comes near.
_MAX_BODY_BYTES = 4 << 20
_to_json = json.JSONEncoder(ensure_ascii=False, separators=(",", ":")).encode


class App:
    """The local cloud as an ASGI application: the API at `/`, the instances' metadata under `/metadata/`, faults.

    Calls run in a few threads and not on the event loop: they are quick but for the cloud's lock, which a service's own
    thread may hold, and a loop that waits for it could not even accept a connection. What need not wait is asked of
    `answer_now` first.

    Args:
        cloud: The cloud whose services answer the API's calls.
        metadata: What answers instances.
        faults: What answers whoever asks for faults.
    """

    def __init__(self, cloud: Cloud, metadata: MetadataService, faults: FaultDoor) -> None:
        self._cloud = cloud
        self._dispatcher = Dispatcher(cloud)
        self._faults = faults
        self._metadata = metadata
        oss = cloud.services.get("oss")
        self._storage = StorageDoor(oss, cloud.endpoint) if isinstance(oss, OssService) else None
        self._threads = ThreadPoolExecutor(max_workers=4, thread_name_prefix="call")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one HTTP request."""
        if scope["type"] != "http":
            return
        headers = read_headers(scope["headers"])
        query_string = scope["query_string"].decode("latin-1")
        if self._storage is not None and _is_storage(scope["path"], query_string, headers):
            await self._storage.answer(scope, headers, receive, send)
            return
        body = await _read_body(receive)
        if body is None:
            await _send(send, HttpReply(status=413, content_type="text/plain", content=b""))
            return
        request = WireRequest(
            method=scope["method"],
            path=scope["path"],
            query_string=query_string,
            headers=headers,
            body=body,
            client=(scope.get("client") or ("",))[0],
            is_secure=scope["scheme"] == "https",
        )
        loop = asyncio.get_running_loop()
        await _send(send, await loop.run_in_executor(self._threads, self._answer, request))

    def answer_now(self, request: WireRequest) -> HttpReply | None:
        """Answer a call of a product that does nothing but read and write the state, where the cloud's lock is free.

        It is for the event loop: the way through a thread costs as much as such an answer does.

        Args:
            request: A request to `/`, where nothing but calls and OSS is.
        """
        is_call = not claims_storage(request.headers, request.path, request.parameters)
        if not (is_call and self._dispatcher.is_quick(request) and self._cloud.store.take_if_free()):
            return None
        try:
            return self._answer_call(request)
        finally:
            self._cloud.store.give_back()

    def _answer(self, request: WireRequest) -> HttpReply:
        if request.path == unserved.PATH:
            entries = [asdict(entry) for entry in self._cloud.unserved.list()]
            return _json_reply(200, entries)
        if FaultDoor.is_meant(request.path, request.headers.get("authorization", "")):
            status, content = self._faults.answer(request)
            return HttpReply(status=status, content_type=_JSON, content=content)
        if request.path.startswith(_METADATA_PREFIX):
            reply = self._metadata.answer(request, request.path.removeprefix(_METADATA_PREFIX))
            content = reply.text.encode(errors=BYTES_AS_THEY_ARE)
            return HttpReply(status=reply.status, content_type="text/plain", content=content)
        return self._answer_call(request)

    def _answer_call(self, request: WireRequest) -> HttpReply:
        answer = self._dispatcher.answer(request)
        if not _wants_xml(request):
            return _json_reply(answer.status, answer.body)
        root = answer_root(request.action, is_error=answer.status >= 400)
        return HttpReply(
            status=answer.status, content_type=_XML, content=render_xml(root, answer.body).encode()
        )

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


def _json_reply(status: int, body: object) -> HttpReply:
    return HttpReply(status=status, content_type=_JSON, content=_to_json(body).encode())


def _is_storage(path: str, query_string: str, headers: Mapping[str, str]) -> bool:
    authorization = headers.get("authorization", "")
    if (path == unserved.PATH or path.startswith(_METADATA_PREFIX)) and not authorization:
        return False
    if FaultDoor.is_meant(path, authorization):
        return False
    query = {} if authorization else dict(parse_qsl(query_string, keep_blank_values=True))
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


async def _send(send: Send, reply: HttpReply) -> None:
    headers = [
        (b"content-type", reply.content_type.encode()),
        (b"content-length", str(len(reply.content)).encode()),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.content})
