"""What OSS keeps. Objects stand in the store under `<bucket>/<key>`, so that its index lists them in OSS's order."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from steelyard.localcloud.record import Record
from steelyard.localcloud.services.oss.blob import Segment

STORAGE_CLASSES = ("Standard", "IA", "Archive", "ColdArchive", "DeepColdArchive")
"""The warmest first."""

UNVERSIONED = "null"
"""Version id of what was put while versioning was off or suspended."""


@dataclass(frozen=True, kw_only=True)
class StorageAccount(Record):
    """What holds for all buckets of the account; there is one, of the id `ID`.

    Attributes:
        public_block: The document by which all buckets refuse strangers, or do not.
    """

    kind: ClassVar[str] = "oss_account"
    ID: ClassVar[str] = "account"

    public_block: str


@dataclass(frozen=True, kw_only=True)
class Bucket(Record):
    """A bucket; its id is its name.

    Attributes:
        region_id: Where it is.
        acl: `private`, `public-read` or `public-read-write`.
        storage_class: Storage class of objects that name none.
        redundancy_type: `LRS` or `ZRS`.
        resource_group_id: Its resource group.
        versioning: Empty, `Enabled` or `Suspended`.
        settings: Its configurations, each the document that was put, by sub-resource.
    """

    kind: ClassVar[str] = "oss_bucket"

    region_id: str
    acl: str = "private"
    storage_class: str = "Standard"
    redundancy_type: str = "LRS"
    resource_group_id: str = "rg-default"
    versioning: str = ""
    settings: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class StorageObject(Record):
    """A version of an object, or a delete marker in its place; `created_at` is its last change.

    Attributes:
        version_id: Its version; `null` where the bucket keeps none.
        object_type: `Normal`, `Multipart`, `Appendable` or `Symlink`.
        size: Length in bytes.
        etag: Entity tag without quotes.
        crc64: CRC-64 of all bytes, in decimal as OSS's header has it.
        segments: The blobs that it is made of, in order.
        headers: HTTP headers that were put with it, by lower-case name, `x-oss-meta-*` among them.
        storage_class: Its storage class.
        acl: Its own access control; `default` for the bucket's.
        encryption: Server-side encryption, empty where there is none.
        is_delete_marker: Whether it says that the object is gone.
        target: Key of the object that a link stands for.
        readable_from: Unix time from which on an archived object is restored, or was; 0 where nobody asked for it.
        readable_until: Unix time until which it can be read then.
    """

    kind: ClassVar[str] = "oss_object"

    version_id: str = UNVERSIONED
    object_type: str = "Normal"
    size: int = 0
    etag: str = ""
    crc64: str = "0"
    segments: tuple[Segment, ...] = ()
    headers: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "Standard"
    acl: str = "default"
    encryption: str = ""
    is_delete_marker: bool = False
    target: str = ""
    readable_from: float = 0.0
    readable_until: float = 0.0

    @property
    def bucket(self) -> str:
        """Name of its bucket."""
        return self.id.partition("/")[0]

    @property
    def key(self) -> str:
        """Its key in the bucket."""
        return self.id.partition("/")[2].partition("\0")[0]

    @property
    def blob_names(self) -> tuple[str, ...]:
        """Names of its blobs."""
        return tuple(name for name, _ in self.segments)


@dataclass(frozen=True, kw_only=True)
class OldVersion(StorageObject):
    """A version that another one has taken the place of; its id ends so that newer ones come first."""

    kind: ClassVar[str] = "oss_version"


@dataclass(frozen=True, kw_only=True)
class Upload(Record):
    """A multipart upload that is under way; its id is `<bucket>/<key>`, a zero byte and the upload's id.

    Attributes:
        headers: HTTP headers that the object will have.
        storage_class: Storage class that it will have.
        acl: Access control that it will have.
        encryption: Server-side encryption that it will have.
    """

    kind: ClassVar[str] = "oss_upload"

    headers: Mapping[str, str] = field(default_factory=dict)
    storage_class: str = "Standard"
    acl: str = "default"
    encryption: str = ""

    @property
    def key(self) -> str:
        """Key of the object to be."""
        return self.id.partition("/")[2].partition("\0")[0]

    @property
    def upload_id(self) -> str:
        """Id by which its parts name it."""
        return self.id.partition("\0")[2]


@dataclass(frozen=True, kw_only=True)
class Part(Record):
    """A part of a multipart upload; its id is the upload's and its number in five digits.

    Attributes:
        number: 1 to 10,000.
        size: Length in bytes.
        etag: MD5 of its bytes.
        crc64: CRC-64 of its bytes.
        blob: Name of its blob.
    """

    kind: ClassVar[str] = "oss_part"

    number: int
    size: int
    etag: str
    crc64: str
    blob: str
