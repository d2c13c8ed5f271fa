"""Checkpoints in a bucket of OSS, through the vendor's client.

An object is there whole or not at all, and OSS keeps checksums of its own; so a checkpoint in a bucket can lack
objects, but not have torn ones.

Source: https://www.alibabacloud.com/help/en/oss/developer-reference/putobject (as of 2026-11)
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import IO, Any

import alibabacloud_oss_v2 as oss
from alibabacloud_oss_v2.exceptions import BaseError, OperationError, ServiceError

from steelyard import settings
from steelyard.errors import NodeError, TrainingError, UsageError
from steelyard.metadata import ALIBABA_METADATA_URL, MetadataClient
from steelyard.training.checkpoint.storage import FileFact

_RENEW_BEFORE = timedelta(minutes=10)
_NUM_DELETED_AT_ONCE = 1000


class RoleKeys(oss.credentials.CredentialsProvider):
    """Temporary keys of the instance's RAM role, from the metadata service; asked for again before they expire.

    Args:
        metadata: The metadata service.
    """

    def __init__(self, metadata: MetadataClient) -> None:
        self._metadata = metadata
        self._keys: Any = None

    def get_credentials(self) -> Any:
        """Return a key that is good for a while.

        Raises:
            NodeError: The instance has no role, or the metadata service does not answer.
        """
        if self._keys is None or self._keys.expiration - _RENEW_BEFORE < datetime.now(
            self._keys.expiration.tzinfo
        ):
            values = self._metadata.role_keys()
            self._keys = oss.credentials.Credentials(
                values["AccessKeyId"],
                values["AccessKeySecret"],
                values["SecurityToken"],
                datetime.fromisoformat(values["Expiration"]),
            )
        return self._keys


class OssStorage:
    """Keeps each checkpoint below a prefix of its own.

    Args:
        client: The vendor's client.
        bucket: The bucket; it has to be there.
        prefix: What stands before every key, with a slash at its end; empty where nothing does.

    Raises:
        TrainingError: The bucket cannot be listed.
    """

    def __init__(self, client: Any, bucket: str, prefix: str) -> None:
        self._client = client
        self._bucket = bucket
        self._prefix = prefix
        self.names()

    @property
    def url(self) -> str:
        """Bucket and prefix."""
        return f"oss://{self._bucket}/{self._prefix}".rstrip("/")

    def names(self) -> Sequence[str]:
        """Return what stands before the next slash of every key."""
        return [
            each.removeprefix(self._prefix).rstrip("/") for each in self._list(self._prefix, delimiter="/")
        ]

    def open(self, key: str, mode: str) -> AbstractContextManager[IO[Any]]:
        """Open a local copy; one that was written is sent when it is closed."""
        return self._sent(key) if "w" in mode else self._fetched(key)

    def write(self, key: str, body: bytes) -> None:
        """Write an object."""
        self._call(lambda: self._client.put_object(oss.PutObjectRequest(**self._object(key), body=body)))

    def read(self, key: str) -> bytes | None:
        """Return an object's content, or None where there is none."""
        try:
            result = self._call(lambda: self._client.get_object(oss.GetObjectRequest(**self._object(key))))
        except FileNotFoundError:
            return None
        content: bytes = result.body.read()
        return content

    def rename(self, key: str, new_key: str) -> None:
        """Copy an object within OSS and delete the one that was copied."""
        request = oss.CopyObjectRequest(**self._object(new_key), source_key=self._object(key)["key"])
        self._call(lambda: self._client.copy_object(request))
        self.delete(key)

    def exists(self, key: str) -> bool:
        """Return whether there is such an object."""
        found: bool = self._call(lambda: self._client.is_object_exist(**self._object(key)))
        return found

    def delete(self, key: str) -> None:
        """Delete an object; of one that is not there nothing is said."""
        self._call(lambda: self._client.delete_object(oss.DeleteObjectRequest(**self._object(key))))

    def drop(self, name: str) -> None:
        """Delete a checkpoint's objects."""
        keys = self._list(f"{self._prefix}{name}/")
        for begin in range(0, len(keys), _NUM_DELETED_AT_ONCE):
            objects = [oss.DeleteObject(key=key) for key in keys[begin : begin + _NUM_DELETED_AT_ONCE]]
            request = oss.DeleteMultipleObjectsRequest(bucket=self._bucket, objects=objects, quiet=True)
            self._call(partial(self._client.delete_multiple_objects, request))

    def fault(self, key: str, fact: FileFact) -> str:
        """Compare an object's length with what was written; its content OSS itself has checked."""
        name = key.rpartition("/")[2]
        try:
            head = self._call(lambda: self._client.head_object(oss.HeadObjectRequest(**self._object(key))))
        except FileNotFoundError:
            return f"{name} is not there"
        return (
            ""
            if head.content_length == fact.size
            else f"{name} has {head.content_length} of {fact.size} bytes"
        )

    @contextmanager
    def _sent(self, key: str) -> Iterator[IO[bytes]]:
        with _private_file() as path:
            with path.open("wb") as file:
                yield file
            request = oss.PutObjectRequest(**self._object(key))
            self._call(lambda: self._client.uploader().upload_file(request, str(path)))

    @contextmanager
    def _fetched(self, key: str) -> Iterator[IO[bytes]]:
        with _private_file() as path:
            request = oss.GetObjectRequest(**self._object(key))
            self._call(lambda: self._client.downloader().download_file(request, str(path)))
            with path.open("rb") as file:
                yield file

    def _object(self, key: str) -> dict[str, str]:
        return {"bucket": self._bucket, "key": self._prefix + key}

    def _list(self, prefix: str, *, delimiter: str | None = None) -> list[str]:
        request = oss.ListObjectsV2Request(bucket=self._bucket, prefix=prefix, delimiter=delimiter)

        def pages() -> list[str]:
            found: list[str] = []
            for page in self._client.list_objects_v2_paginator().iter_page(request):
                if delimiter is None:
                    found += [each.key for each in page.contents or ()]
                else:
                    found += [each.prefix for each in page.common_prefixes or ()]
            return found

        listed: list[str] = self._call(pages)
        return listed

    def _call(self, call: Callable[[], Any]) -> Any:
        """Call OSS; what is not there is a `FileNotFoundError`, as in a folder.

        Raises:
            FileNotFoundError: There is no such object.
            TrainingError: OSS refused or does not answer.
        """
        try:
            return call()
        except (BaseError, OSError, NodeError) as error:
            cause = error.unwrap() if isinstance(error, OperationError) else error
            code = cause.code if isinstance(cause, ServiceError) else ""
            if isinstance(cause, ServiceError) and cause.status_code == 404 and code != "NoSuchBucket":
                raise FileNotFoundError(f"{self.url} has no such object") from error
            words = f"{code}: {cause.message}" if isinstance(cause, ServiceError) else str(cause)
            raise TrainingError(
                f"{self.url} cannot be used: {words}",
                "see that the bucket is there, and that the node's role or OSS_ACCESS_KEY_ID may read and write it",
            ) from error


@contextmanager
def _private_file() -> Iterator[Path]:
    """Give the path of a file in a folder of its own, which is gone afterwards."""
    folder = tempfile.mkdtemp(prefix="sy-oss-")
    try:
        yield Path(folder) / "file"
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def oss_at(place: str, environment: Mapping[str, str]) -> OssStorage:
    """Return the storage at ``BUCKET/PREFIX``.

    The key is that of ``OSS_ACCESS_KEY_ID`` and ``OSS_ACCESS_KEY_SECRET``, else that of the instance's role. The
    endpoint is ``STEELYARD_OSS_ENDPOINT``, with the bucket in the path; else the region's, on a node its internal one.

    Args:
        place: Bucket and prefix.
        environment: The environment variables.

    Raises:
        UsageError: There is no bucket in it.
        TrainingError: The bucket cannot be used.
    """
    bucket, _, prefix = place.partition("/")
    if not bucket:
        raise UsageError(f"oss://{place} names no bucket", "give oss://BUCKET/PREFIX")
    metadata = MetadataClient(environment.get(settings.METADATA_URL) or ALIBABA_METADATA_URL)
    config = oss.config.load_default()
    endpoint = environment.get(settings.OSS_ENDPOINT)
    has_key = bool(environment.get("OSS_ACCESS_KEY_ID"))
    try:
        config.region = environment.get("OSS_REGION") or metadata.item("region-id")
    except NodeError as error:
        raise TrainingError(
            f"the region of oss://{bucket} is not known: {error.message}",
            "set OSS_REGION where this is no instance of the cloud",
        ) from error
    config.credentials_provider = (
        oss.credentials.EnvironmentVariableCredentialsProvider() if has_key else RoleKeys(metadata)
    )
    if endpoint:
        config.endpoint, config.use_path_style = endpoint, True
    else:
        config.use_internal_endpoint = not has_key
    prefix = f"{prefix.strip('/')}/" if prefix.strip("/") else ""
    return OssStorage(oss.Client(config), bucket, prefix)
