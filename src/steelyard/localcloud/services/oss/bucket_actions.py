from __future__ import annotations

import re
from dataclasses import replace

from steelyard.localcloud.services.oss import errors
from steelyard.localcloud.services.oss.bucket_policy import is_public
from steelyard.localcloud.services.oss.document import answer_document, child_text, kept_text, read_document
from steelyard.localcloud.services.oss.listing import MAX_KEYS
from steelyard.localcloud.services.oss.models import (
    STORAGE_CLASSES,
    Bucket,
    OldVersion,
    StorageObject,
    Upload,
)
from steelyard.localcloud.services.oss.request import Body, Level, StorageAnswer, StorageRequest, operation
from steelyard.localcloud.services.oss.setting import BUCKET_ACLS
from steelyard.localcloud.services.oss.state import StorageState
from steelyard.localcloud.services.oss.text import milli_text

_NAME = re.compile(r"[a-z0-9][a-z0-9-]{1,61}[a-z0-9]")
_REDUNDANCY_TYPES = ("LRS", "ZRS")
_MAX_BUCKETS = 100
_STAT_NAMES = {
    "Standard": "Standard",
    "IA": "InfrequentAccess",
    "Archive": "Archive",
    "ColdArchive": "ColdArchive",
    "DeepColdArchive": "DeepColdArchive",
}
"""What statistics call a storage class."""

# What GetBucketInfo tells of a bucket's configurations: each, and the place in its document.
_TOLD_SETTINGS = {
    "monitor": ("accessmonitor", "Status"),
    "acceleration": ("transferAcceleration", "Enabled"),
    "encryption": ("encryption", "ApplyServerSideEncryptionByDefault/SSEAlgorithm"),
    "log_bucket": ("logging", "LoggingEnabled/TargetBucket"),
    "log_prefix": ("logging", "LoggingEnabled/TargetPrefix"),
    "block": ("publicAccessBlock", "BlockPublicAccess"),
}


class BucketActions:
    """Buckets themselves.

    Args:
        state: What OSS keeps.
        region_id: Where new buckets are.
        owner_id: The account.
        endpoint: Host and port of the cloud, at which every bucket is reached by its path.
    """

    def __init__(self, state: StorageState, region_id: str, owner_id: str, endpoint: str) -> None:
        self._state = state
        self._region_id = region_id
        self._owner = {"ID": owner_id, "DisplayName": owner_id}
        self._endpoint = endpoint

    @operation("PutBucket", "PUT", Level.BUCKET, body=Body.DOCUMENT)
    def put_bucket(self, request: StorageRequest) -> StorageAnswer:
        """Create a bucket; the owner may ask for one that is there again (from memory of the real API)."""
        if not _NAME.fullmatch(request.bucket):
            raise errors.invalid_bucket_name(request.bucket)
        acl = request.choice("x-oss-acl", "private", *BUCKET_ACLS)
        storage_class, redundancy_type = _read_configuration(request.document)
        known = self._state.buckets.get(request.bucket)
        if known is not None:
            if (known.storage_class, known.redundancy_type) != (storage_class, redundancy_type):
                text = (
                    "The requested bucket name is not available. The bucket is there with other properties."
                )
                raise errors.StorageError("BucketAlreadyExists", text, 409, BucketName=known.id)
            if "x-oss-acl" in request.headers:
                self._set_acl(known, acl)
            return StorageAnswer(headers={"Location": f"/{known.id}"})
        if self._state.has_quotas and len(self._state.buckets.list()) >= _MAX_BUCKETS:
            text = f"You have attempted to create more than {_MAX_BUCKETS} buckets."
            raise errors.StorageError("TooManyBuckets", text)
        bucket = Bucket(
            id=request.bucket,
            created_at=self._state.clock(),
            region_id=self._region_id,
            acl=acl,
            storage_class=storage_class,
            redundancy_type=redundancy_type,
            resource_group_id=request.header("x-oss-resource-group-id") or "rg-default",
        )
        self._state.buckets.put(bucket)
        return StorageAnswer(headers={"Location": f"/{bucket.id}"})

    @operation("DeleteBucket", "DELETE", Level.BUCKET)
    def delete_bucket(self, request: StorageRequest) -> StorageAnswer:
        """Delete a bucket that holds nothing any more."""
        bucket = self._state.bucket(request.bucket)
        if not self._state.is_empty(bucket):
            raise errors.bucket_not_empty(bucket.id)
        self._state.buckets.delete(bucket.id)
        return StorageAnswer(status=204)

    @operation("ListBuckets", "GET", Level.SERVICE)
    def list_buckets(self, request: StorageRequest) -> StorageAnswer:
        """List the account's buckets by name."""
        prefix, marker = request.query.get("prefix", ""), request.query.get("marker", "")
        size = request.number("max-keys", 100, 1, MAX_KEYS)
        group = request.header("x-oss-resource-group-id")
        found = sorted(
            (
                bucket
                for bucket in self._state.buckets.list()
                if bucket.id.startswith(prefix)
                and bucket.id > marker
                and group in ("", bucket.resource_group_id)
            ),
            key=lambda bucket: bucket.id,
        )
        is_truncated = len(found) > size
        page = found[:size]
        body = {
            "Prefix": prefix,
            "Marker": marker,
            "MaxKeys": size,
            "IsTruncated": is_truncated,
            "NextMarker": page[-1].id if is_truncated else None,
            "Owner": self._owner,
            "Buckets": {"Bucket": [self._describe(bucket) for bucket in page]},
        }
        return answer_document("ListAllMyBucketsResult", body)

    @operation("DescribeRegions", "GET", Level.SERVICE, "regions")
    def describe_regions(self, request: StorageRequest) -> StorageAnswer:
        """Tell where buckets can be reached: those of the cloud's own region, at the one address that there is."""
        wanted = request.query["regions"]
        own = f"oss-{self._region_id}"
        if wanted not in ("", own):
            raise errors.invalid_argument("regions", wanted, own)
        names = ("InternetEndpoint", "InternalEndpoint", "AccelerateEndpoint")
        info = {"Region": own, **dict.fromkeys(names, self._endpoint)}
        return answer_document("RegionInfoList", {"RegionInfo": [info]})

    @operation("GetBucketInfo", "GET", Level.BUCKET, "bucketInfo")
    def get_bucket_info(self, request: StorageRequest) -> StorageAnswer:
        """Tell everything about a bucket."""
        bucket = self._state.bucket(request.bucket)
        told = {
            name: kept_text(bucket.settings.get(setting, ""), path)
            for name, (setting, path) in _TOLD_SETTINGS.items()
        }
        body = {
            **self._describe(bucket),
            "DataRedundancyType": bucket.redundancy_type,
            "AccessMonitor": told["monitor"] or "Disabled",
            "TransferAcceleration": "Enabled" if told["acceleration"] == "true" else "Disabled",
            "CrossRegionReplication": "Disabled",
            "Owner": self._owner,
            "AccessControlList": {"Grant": bucket.acl},
            "ServerSideEncryptionRule": {"SSEAlgorithm": told["encryption"] or "None"},
            "BucketPolicy": {"LogBucket": told["log_bucket"], "LogPrefix": told["log_prefix"]},
            "BlockPublicAccess": told["block"] == "true",
            "Versioning": bucket.versioning or None,
            "Comment": "",
        }
        return answer_document("BucketInfo", {"Bucket": body})

    @operation("GetBucketPolicyStatus", "GET", Level.BUCKET, "policyStatus")
    def get_bucket_policy_status(self, request: StorageRequest) -> StorageAnswer:
        """Tell whether a bucket's policy lets anybody in."""
        bucket = self._state.bucket(request.bucket)
        policy = bucket.settings.get("policy")
        if not policy:
            raise errors.no_such_setting("NoSuchBucketPolicy", "policy", bucket.id)
        return answer_document("PolicyStatus", {"IsPublic": is_public(policy)})

    @operation("GetBucketLocation", "GET", Level.BUCKET, "location")
    def get_bucket_location(self, request: StorageRequest) -> StorageAnswer:
        """Tell where a bucket is."""
        location = f"oss-{self._state.bucket(request.bucket).region_id}"
        return StorageAnswer(content=f"<LocationConstraint>{location}</LocationConstraint>".encode())

    @operation("GetBucketStat", "GET", Level.BUCKET, "stat")
    def get_bucket_stat(self, request: StorageRequest) -> StorageAnswer:
        """Count a bucket's objects, versions and bytes; the real cloud's figures are an hour old, these are not."""
        bucket = self._state.bucket(request.bucket)
        prefix = f"{bucket.id}/"
        objects = list(self._state.walk(StorageObject, prefix))
        old = list(self._state.walk(OldVersion, prefix))
        present = [entry for entry in objects if not entry.is_delete_marker]
        by_class: dict[str, object] = {}
        for storage_class, name in _STAT_NAMES.items():
            by_class[f"{name}Storage"] = sum(
                entry.size for entry in (*objects, *old) if entry.storage_class == storage_class
            )
            by_class[f"{name}ObjectCount"] = sum(entry.storage_class == storage_class for entry in present)
        body = {
            "Storage": sum(entry.size for entry in (*objects, *old)),
            "ObjectCount": len(present),
            "MultipartUploadCount": sum(1 for _ in self._state.walk(Upload, prefix)),
            "DeleteMarkerCount": sum(entry.is_delete_marker for entry in (*objects, *old)),
            "LastModifiedTime": int(self._state.clock()),
            **by_class,
        }
        return answer_document("BucketStat", body)

    @operation("PutBucketAcl", "PUT", Level.BUCKET, "acl", body=Body.DOCUMENT)
    def put_bucket_acl(self, request: StorageRequest) -> StorageAnswer:
        """Say who else may use a bucket."""
        bucket = self._state.bucket(request.bucket)
        acl = request.choice("x-oss-acl", "", *BUCKET_ACLS)
        self._set_acl(bucket, acl)
        return StorageAnswer()

    @operation("GetBucketAcl", "GET", Level.BUCKET, "acl")
    def get_bucket_acl(self, request: StorageRequest) -> StorageAnswer:
        """Tell who else may use a bucket."""
        grant = self._state.bucket(request.bucket).acl
        body = {"Owner": self._owner, "AccessControlList": {"Grant": grant}}
        return answer_document("AccessControlPolicy", body)

    def _set_acl(self, bucket: Bucket, acl: str) -> None:
        if acl != "private" and self._state.is_public_blocked(bucket):
            raise errors.access_denied("Put public bucket acl is not allowed.")
        self._state.buckets.put(replace(bucket, acl=acl))

    def _describe(self, bucket: Bucket) -> dict[str, object]:
        return {
            "Name": bucket.id,
            "CreationDate": milli_text(bucket.created_at),
            "Location": f"oss-{bucket.region_id}",
            "Region": bucket.region_id,
            "StorageClass": bucket.storage_class,
            "ExtranetEndpoint": self._endpoint,
            "IntranetEndpoint": self._endpoint,
            "ResourceGroupId": bucket.resource_group_id,
        }


def _read_configuration(document: bytes) -> tuple[str, str]:
    if not document.strip():
        return STORAGE_CLASSES[0], _REDUNDANCY_TYPES[0]
    root = read_document(document, "CreateBucketConfiguration")
    storage_class = child_text(root, "StorageClass", STORAGE_CLASSES[0])
    redundancy_type = child_text(root, "DataRedundancyType", _REDUNDANCY_TYPES[0])
    if storage_class not in STORAGE_CLASSES:
        raise errors.invalid_argument("StorageClass", storage_class, f"one of {', '.join(STORAGE_CLASSES)}")
    if redundancy_type not in _REDUNDANCY_TYPES:
        raise errors.invalid_argument("DataRedundancyType", redundancy_type, "LRS or ZRS")
    return storage_class, redundancy_type
