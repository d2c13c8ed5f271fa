"""A bucket's configurations: each is a document that is put, kept as it came, and given back."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from xml.etree import ElementTree

from steelyard.localcloud.services.oss import errors, metadata
from steelyard.localcloud.services.oss.bucket_policy import check_bucket_policy, is_public
from steelyard.localcloud.services.oss.cors import check_cors
from steelyard.localcloud.services.oss.document import answer_document, child_text, kept_text, read_document
from steelyard.localcloud.services.oss.lifecycle_rule import check_lifecycle
from steelyard.localcloud.services.oss.referer import check_referer
from steelyard.localcloud.services.oss.request import Body, Level, Operation, StorageAnswer, StorageRequest
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.website import check_website

BUCKET_ACLS = ("private", "public-read", "public-read-write")
PUBLIC_BLOCK = "PublicAccessBlockConfiguration"
_MAX_TAGS = 20
_DECLARATION = '<?xml version="1.0" encoding="UTF-8"?>'

Operations = list[tuple[Operation, Callable[[StorageRequest], StorageAnswer]]]


@dataclass(frozen=True, kw_only=True)
class BucketSetting:
    """One kind of configuration.

    Attributes:
        name: Its sub-resource, e.g. `lifecycle`.
        noun: Its part of the operations' names, e.g. `Lifecycle` of `PutBucketLifecycle`.
        root: Root element of its document; empty for JSON.
        default: What is answered where none was put; empty where that is an error.
        missing: The error's code.
        check: Refuses a document that is not allowed.
        can_delete: Whether there is an operation that takes it away.
    """

    name: str
    noun: str
    root: str
    default: str = ""
    missing: str = ""
    check: Callable[[ElementTree.Element], None] = lambda root: None
    can_delete: bool = True


def _one_of(element: ElementTree.Element, path: str, *choices: str) -> None:
    value = child_text(element, path)
    if value not in choices:
        raise errors.malformed_xml(f"{path} is {value!r}, want {' or '.join(choices)}")


def _check_versioning(root: ElementTree.Element) -> None:
    _one_of(root, "Status", "Enabled", "Suspended")


def _check_encryption(root: ElementTree.Element) -> None:
    algorithm = child_text(root, "ApplyServerSideEncryptionByDefault/SSEAlgorithm")
    if not algorithm:
        raise errors.malformed_xml("the rule names no SSEAlgorithm")
    metadata.check_encryption(algorithm)


def check_public_block(root: ElementTree.Element) -> None:
    """Check a block of public access.

    Raises:
        StorageError: `MalformedXML`.
    """
    _one_of(root, "BlockPublicAccess", "true", "false")


def _check_tagging(root: ElementTree.Element) -> None:
    metadata.read_tags(ElementTree.tostring(root), _MAX_TAGS)


SETTINGS: tuple[BucketSetting, ...] = (
    BucketSetting(
        name="versioning",
        noun="Versioning",
        root="VersioningConfiguration",
        default="<VersioningConfiguration/>",
        check=_check_versioning,
        can_delete=False,
    ),
    BucketSetting(
        name="encryption",
        noun="Encryption",
        root="ServerSideEncryptionRule",
        missing="NoSuchServerSideEncryptionRule",
        check=_check_encryption,
    ),
    BucketSetting(
        name="lifecycle",
        noun="Lifecycle",
        root="LifecycleConfiguration",
        missing="NoSuchLifecycle",
        check=check_lifecycle,
    ),
    BucketSetting(
        name="publicAccessBlock",
        noun="PublicAccessBlock",
        root=PUBLIC_BLOCK,
        missing="NoSuchPublicAccessBlockConfiguration",
        check=check_public_block,
    ),
    BucketSetting(
        name="tagging",
        noun="Tags",
        root="Tagging",
        default="<Tagging><TagSet></TagSet></Tagging>",
        check=_check_tagging,
    ),
    BucketSetting(name="policy", noun="Policy", root="", missing="NoSuchBucketPolicy"),
    BucketSetting(
        name="cors",
        noun="Cors",
        root="CORSConfiguration",
        missing="NoSuchCORSConfiguration",
        check=check_cors,
    ),
    BucketSetting(
        name="website",
        noun="Website",
        root="WebsiteConfiguration",
        missing="NoSuchWebsiteConfiguration",
        check=check_website,
    ),
    BucketSetting(
        name="logging", noun="Logging", root="BucketLoggingStatus", default="<BucketLoggingStatus/>"
    ),
    BucketSetting(
        name="referer",
        noun="Referer",
        root="RefererConfiguration",
        default="<RefererConfiguration><AllowEmptyReferer>true</AllowEmptyReferer><RefererList/></RefererConfiguration>",
        check=check_referer,
        can_delete=False,
    ),
    BucketSetting(
        name="accessmonitor",
        noun="AccessMonitor",
        root="AccessMonitorConfiguration",
        default="<AccessMonitorConfiguration><Status>Disabled</Status></AccessMonitorConfiguration>",
        can_delete=False,
    ),
    BucketSetting(
        name="transferAcceleration",
        noun="TransferAcceleration",
        root="TransferAccelerationConfiguration",
        missing="NoSuchTransferAccelerationConfiguration",
        can_delete=False,
    ),
    BucketSetting(
        name="resourceGroup",
        noun="ResourceGroup",
        root="BucketResourceGroupConfiguration",
        can_delete=False,
    ),
    BucketSetting(
        name="requestPayment",
        noun="RequestPayment",
        root="RequestPaymentConfiguration",
        default="<RequestPaymentConfiguration><Payer>BucketOwner</Payer></RequestPaymentConfiguration>",
        can_delete=False,
    ),
)
"""What buckets can be given. `versioning`, `encryption`, `lifecycle`, `policy`, `cors`, `website`, `referer`,
`publicAccessBlock` and `tagging` have an effect; the others are kept and given back."""


class BucketSettings:
    """Puts, gives and removes the configurations.

    Args:
        state: What OSS keeps.
        on_lifecycle: Called once a bucket's lifecycle rules are others.
    """

    def __init__(self, state: StorageState, on_lifecycle: Callable[[], None]) -> None:
        self._state = state
        self._on_lifecycle = on_lifecycle

    def operations(self) -> Operations:
        """Give an operation for each thing that can be done to each kind of configuration."""
        return [operation for setting in SETTINGS for operation in self._operations_of(setting)]

    def _operations_of(self, setting: BucketSetting) -> Operations:
        def put(request: StorageRequest) -> StorageAnswer:
            return self._put(setting, request)

        def get(request: StorageRequest) -> StorageAnswer:
            return self._get(setting, request)

        def delete(request: StorageRequest) -> StorageAnswer:
            return self._delete(setting, request)

        return [
            (_operation("Put", "PUT", setting, Body.DOCUMENT), put),
            (_operation("Get", "GET", setting, Body.NONE), get),
            *([(_operation("Delete", "DELETE", setting, Body.NONE), delete)] if setting.can_delete else []),
        ]

    def _put(self, setting: BucketSetting, request: StorageRequest) -> StorageAnswer:
        bucket = self._state.bucket(request.bucket)
        text = _checked(setting, request.document)
        if setting.name == "policy" and self._state.is_public_blocked(bucket) and is_public(text):
            raise errors.access_denied("Put public bucket policy is not allowed.")
        bucket = replace(bucket, settings={**bucket.settings, setting.name: text})
        if setting.name == "versioning":
            root = read_document(request.document, setting.root)
            bucket = replace(bucket, versioning=child_text(root, "Status"))
        if setting.name == "tagging":
            bucket = replace(bucket, tags=metadata.read_tags(request.document, _MAX_TAGS))
        if setting.name == "resourceGroup":
            bucket = replace(bucket, resource_group_id=kept_text(text, "ResourceGroupId"))
        self._state.buckets.put(bucket)
        if setting.name == "lifecycle":
            self._state.after_commit(self._on_lifecycle)
        return StorageAnswer()

    def _get(self, setting: BucketSetting, request: StorageRequest) -> StorageAnswer:
        bucket = self._state.bucket(request.bucket)
        if setting.name == "resourceGroup":
            return answer_document(setting.root, {"ResourceGroupId": bucket.resource_group_id})
        text = bucket.settings.get(setting.name) or setting.default
        if not text:
            raise errors.no_such_setting(setting.missing, setting.noun.lower(), bucket.id)
        if not setting.root:
            return StorageAnswer(content=text.encode(), content_type="application/json")
        return StorageAnswer(content=f"{_DECLARATION}{text}".encode())

    def _delete(self, setting: BucketSetting, request: StorageRequest) -> StorageAnswer:
        bucket = self._state.bucket(request.bucket)
        settings = {name: text for name, text in bucket.settings.items() if name != setting.name}
        tags = {} if setting.name == "tagging" else bucket.tags
        self._state.buckets.put(replace(bucket, settings=settings, tags=tags))
        return StorageAnswer(status=204)


def setting_operations() -> set[str]:
    """Name every operation on a configuration."""
    return {
        f"{verb}Bucket{setting.noun}"
        for setting in SETTINGS
        for verb in ("Put", "Get", *(["Delete"] if setting.can_delete else []))
    }


def _operation(verb: str, method: str, setting: BucketSetting, body: Body) -> Operation:
    name = f"{verb}Bucket{setting.noun}"
    return Operation(
        name=name, method=method, level=Level.BUCKET, marks=(setting.name,), body=body, action=name
    )


def _checked(setting: BucketSetting, document: bytes) -> str:
    if not setting.root:
        return check_bucket_policy(document)
    root = read_document(document, setting.root)
    setting.check(root)
    return ElementTree.tostring(root, encoding="unicode")
