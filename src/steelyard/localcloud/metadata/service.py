"""The instance metadata service, `http://100.100.100.200` on the real cloud.

Here it is served on the cloud's own port under `/metadata/<instance id>`, and an instance finds that address in its
environment. It has the same paths, the same token flow, and two additions: `steelyard/imitated-speed`, and
`steelyard/mount-targets/<domain>`, the path by which the instance sees a file system of NAS.
"""

from __future__ import annotations

import hashlib
import hmac
import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol, runtime_checkable
from urllib.parse import parse_qsl

from steelyard.localcloud.metadata.identity import Signer
from steelyard.localcloud.metadata.items import (
    CREDENTIALS,
    META_DATA,
    SIGNATURE,
    InstanceMetadata,
    identity_document,
    listing,
    metadata_items,
    named_version,
)
from steelyard.localcloud.text import utc_text, whole_number
from steelyard.localcloud.wire.message import WireRequest

TOKEN_HEADER = "x-aliyun-ecs-metadata-token"
TTL_HEADER = "x-aliyun-ecs-metadata-token-ttl-seconds"
FORWARDED_HEADER = "x-forwarded-for"
MAX_TTL_S = 21600
CREDENTIAL_S = 6 * 3600.0
_MOUNT_TARGETS = f"{META_DATA}steelyard/mount-targets/"


@runtime_checkable
class InstanceDirectory(Protocol):
    """Who knows the instances: the ECS service."""

    def instance_metadata(self, instance_id: str) -> InstanceMetadata | None:
        """Give an instance's metadata, or None where there is no such instance."""


class CredentialIssuer(Protocol):
    """Who gives temporary keys: the STS service."""

    def instance_credentials(self, role_name: str, instance_id: str) -> dict[str, object] | None:
        """Give an instance a temporary key of its role, or None where the role does not let it."""

    def knows_key(self, access_key_id: str) -> bool:
        """Tell whether a temporary key that was given can still be used to sign with."""


class MountRefused(Exception):
    """A mount target does not let an instance in; the text says why."""


@runtime_checkable
class FileServer(Protocol):
    """Who knows the file systems: the NAS service."""

    def mount_path(self, domain: str, instance: InstanceMetadata) -> str | None:
        """Give the path by which an instance sees a mount target's file system; None where there is no such target.

        Raises:
            MountRefused: The instance may not mount it.
        """


@dataclass(frozen=True, kw_only=True)
class MetadataReply:
    """A status and a plain text."""

    status: int
    text: str


_FORBIDDEN = MetadataReply(status=403, text="403 - Forbidden")
_NOT_FOUND = MetadataReply(status=404, text="404 - Not Found")


class MetadataService:
    """Answers what instances ask of themselves.

    Args:
        directory: Who knows the instances; None where the cloud offers none.
        issuer: Who gives temporary keys.
        key: Secret that tokens are made with; they stay good over a restart with the same key.
        clock: Gives the Unix time.
        files: Who knows the file systems; None where the cloud offers none.
        sign_identity: Signs identity documents.
    """

    def __init__(
        self,
        *,
        directory: InstanceDirectory | None,
        issuer: CredentialIssuer,
        key: str,
        clock: Callable[[], float],
        files: FileServer | None = None,
        sign_identity: Signer,
    ) -> None:
        self._directory = directory
        self._issuer = issuer
        self._key = key.encode()
        self._clock = clock
        self._files = files
        self._sign_identity = sign_identity
        self._credentials: dict[tuple[str, str], tuple[float, str]] = {}

    def answer(self, request: WireRequest, path: str) -> MetadataReply:
        """Answer one request.

        Args:
            request: The request.
            path: `<instance id>/latest/...`.
        """
        instance_id, _, item = path.partition("/")
        item = named_version(item)
        instance = self._directory.instance_metadata(instance_id) if self._directory else None
        if instance is None or not instance.is_http_enabled:
            return _NOT_FOUND
        if item == "latest/api/token":
            return self._issue_token(request, instance_id)
        if request.method != "GET":
            return MetadataReply(status=405, text="405 - Method Not Allowed")
        token = request.headers.get(TOKEN_HEADER)
        if token is None and instance.http_tokens == "required":
            return _FORBIDDEN
        if token is not None and not self._is_valid(token, instance_id):
            return _FORBIDDEN
        if item.startswith(_MOUNT_TARGETS):
            return self._mount(instance, item.removeprefix(_MOUNT_TARGETS))
        text = self._item(instance, item.rstrip("/"), request)
        return _NOT_FOUND if text is None else MetadataReply(status=200, text=text)

    def _item(self, instance: InstanceMetadata, item: str, request: WireRequest) -> str | None:
        items = metadata_items(instance)
        if item not in items:
            return listing(items, item)
        if item == CREDENTIALS + instance.ram_role_name:
            return self._role_credentials(instance)
        if item == SIGNATURE:
            return self._signature(instance, request)
        return items[item]

    def _signature(self, instance: InstanceMetadata, request: WireRequest) -> str | None:
        audience = dict(parse_qsl(request.query_string)).get("audience")
        return self._sign_identity(identity_document(instance, audience).encode())

    def _mount(self, instance: InstanceMetadata, domain: str) -> MetadataReply:
        try:
            path = self._files.mount_path(domain, instance) if self._files is not None else None
        except MountRefused as refusal:
            return MetadataReply(status=403, text=f"403 - Forbidden: {refusal}")
        return _NOT_FOUND if path is None else MetadataReply(status=200, text=path)

    def _role_credentials(self, instance: InstanceMetadata) -> str | None:
        """Give the key that the instance was given last, or a new one once half of its time is over."""
        entry = (instance.instance_id, instance.ram_role_name)
        renew_at, text = self._credentials.get(entry, (0.0, ""))
        # Of so many keys that were given since, it may be forgotten by whoever gave it.
        if self._clock() < renew_at and self._issuer.knows_key(json.loads(text)["AccessKeyId"]):
            return text
        credentials = self._issuer.instance_credentials(instance.ram_role_name, instance.instance_id)
        if credentials is None:
            return None
        text = json.dumps({**credentials, "LastUpdated": utc_text(self._clock()), "Code": "Success"})
        now = self._clock()
        # Instances come and go; what would be renewed is of no use to those that are gone, either.
        fresh = {key: known for key, known in self._credentials.items() if known[0] > now}
        self._credentials = {**fresh, entry: (now + CREDENTIAL_S / 2, text)}
        return text

    def _issue_token(self, request: WireRequest, instance_id: str) -> MetadataReply:
        if request.method != "PUT":
            return MetadataReply(status=405, text="405 - Method Not Allowed")
        if FORWARDED_HEADER in request.headers:
            return _FORBIDDEN  # Whoever asks through a proxy may not be the instance.
        ttl = request.headers.get(TTL_HEADER, "")
        ttl_s = whole_number(ttl)
        if ttl_s is None or not 1 <= ttl_s <= MAX_TTL_S:
            return MetadataReply(status=400, text="400 - Bad Request")
        expires_at = int(self._clock()) + ttl_s
        return MetadataReply(status=200, text=f"{expires_at}-{self._sign(instance_id, expires_at)}")

    def _sign(self, instance_id: str, expires_at: int) -> str:
        return hmac.new(self._key, f"{instance_id}/{expires_at}".encode(), hashlib.sha256).hexdigest()

    def _is_valid(self, token: str, instance_id: str) -> bool:
        told, _, signature = token.partition("-")
        expires_at = whole_number(told)
        if expires_at is None:
            return False
        wanted = self._sign(instance_id, expires_at)
        return hmac.compare_digest(wanted.encode(), signature.encode()) and self._clock() <= expires_at
