"""OSS: buckets, and the configurations of them that are resources of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, ClassVar, Final

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import Api
from steelyard.deploy.provider.lifecycle import read_rules, write_rules
from steelyard.deploy.provider.resource_type import ResourceType, nested
from steelyard.errors import ResourceError

if TYPE_CHECKING:
    import alibabacloud_oss_v2 as sdk

_ENCRYPTION: Final = {
    "sseAlgorithm": "sse_algorithm",
    "kmsMasterKeyId": "kms_master_key_id",
    "kmsDataEncryption": "kms_data_encryption",
}
_MAX_DELETED = 1000
_HOW_TO_DELETE = (
    "it stays with what is in it; to delete both, say `checkpoints.force_destroy: true` in the cluster file, or "
    "`force_destroy=True` in the program, run up, and then down"
)


class Bucket(ResourceType):
    """`alicloud.oss.Bucket`; its id is its name, which has to be given."""

    token = "alicloud:oss/bucket:Bucket"
    create_only = frozenset({"bucket", "storageClass", "redundancyType", "resourceGroupId"})
    changeable = frozenset(
        {"forceDestroy", "lifecycleRules", "serverSideEncryptionRule", "versioning", "tags"}
    )
    deletes_before_replace = True

    _READ: ClassVar = {
        "bucket": "name",
        "acl": "acl",
        "storageClass": "storage_class",
        "redundancyType": "data_redundancy_type",
        "resourceGroupId": "resource_group_id",
        "location": "location",
        "extranetEndpoint": "extranet_endpoint",
        "intranetEndpoint": "intranet_endpoint",
    }

    def create(self, api: Api, inputs: Values) -> str:
        """ListBuckets, which tells whether the name is taken, PutBucket, and a call for each configuration.

        Raises:
            ResourceError: There is a bucket of this name, which a destroy would delete with what is in it.
        """
        oss = _sdk()
        name = str(inputs["bucket"])
        if _exists(api, name):
            raise ResourceError(
                f"the bucket {name} is there already", "choose another name", urn=api.operation.urn
            )
        configuration = oss.CreateBucketConfiguration(
            storage_class=inputs.get("storageClass"), data_redundancy_type=inputs.get("redundancyType")
        )
        request = oss.PutBucketRequest(
            bucket=name,
            resource_group_id=inputs.get("resourceGroupId"),
            create_bucket_configuration=configuration,
        )
        api.call_storage("PutBucket", lambda client: client.put_bucket(request))
        api.operation.allocated(name)
        self.update(api, name, {}, inputs)
        return name

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetBucketInfo, GetBucketLifecycle, GetBucketTags."""
        oss = _sdk()
        request = oss.GetBucketInfoRequest(bucket=resource_id)
        info = api.call_storage("GetBucketInfo", lambda client: client.get_bucket_info(request)).bucket_info
        shown = {
            name: getattr(info, field)
            for name, field in self._READ.items()
            if getattr(info, field) is not None
        }
        rule = {
            name: getattr(info.sse_rule, field)
            for name, field in _ENCRYPTION.items()
            if getattr(info.sse_rule, field, None)
        }
        if rule.get("sseAlgorithm") not in (None, "None"):
            shown["serverSideEncryptionRule"] = rule
        if info.versioning:
            shown["versioning"] = {"status": info.versioning}
        return {
            **shown,
            "owner": info.owner.id,
            "creationDate": info.creation_date.strftime("%Y-%m-%d"),
            "lifecycleRules": read_rules(api, resource_id),
            "tags": _read_tags(api, resource_id),
        }

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """PutBucketLifecycle, PutBucketEncryption, PutBucketTags, PutBucketVersioning, or their deletions."""
        changed = {name for name in self.changeable if old.get(name) != new.get(name)}
        if "lifecycleRules" in changed:
            write_rules(api, resource_id, new.get("lifecycleRules") or [])
        if "serverSideEncryptionRule" in changed:
            _write_encryption(api, resource_id, new.get("serverSideEncryptionRule"))
        if "tags" in changed:
            _write_tags(api, resource_id, new.get("tags") or {})
        if "versioning" in changed:
            # Versioning cannot be taken away; without a setting the vendor's provider leaves it as it is.
            status = (new.get("versioning") or {}).get("status")
            if status:
                _write_versioning(api, resource_id, str(status))

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """ListBuckets, DeleteBucket; with `forceDestroy` ListObjectVersions and DeleteMultipleObjects before it."""
        oss = _sdk()
        if not _exists(api, resource_id):
            return
        request = oss.DeleteBucketRequest(bucket=resource_id)
        while True:
            try:
                api.call_storage("DeleteBucket", lambda client: client.delete_bucket(request))
                return
            except ResourceError as err:
                if err.code != "BucketNotEmpty":
                    raise
                if not inputs.get("forceDestroy"):
                    err.hint = _HOW_TO_DELETE
                    raise
                if not _empty(api, resource_id):
                    raise


class BucketAcl(ResourceType):
    """`alicloud.oss.BucketAcl`; its id is the bucket's name, as those of the other configurations are."""

    token = "alicloud:oss/bucketAcl:BucketAcl"
    create_only = frozenset({"bucket"})
    changeable = frozenset({"acl"})

    def create(self, api: Api, inputs: Values) -> str:
        """PutBucketAcl."""
        return _configured(self, api, inputs)

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetBucketAcl."""
        request = _sdk().GetBucketAclRequest(bucket=resource_id)
        answer = api.call_storage("GetBucketAcl", lambda client: client.get_bucket_acl(request))
        return {"bucket": resource_id, "acl": answer.acl}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """PutBucketAcl."""
        request = _sdk().PutBucketAclRequest(bucket=resource_id, acl=new["acl"])
        api.call_storage("PutBucketAcl", lambda client: client.put_bucket_acl(request))

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """Do nothing: a bucket has no fewer than one access control, and the vendor's provider leaves it."""


class BucketVersioning(ResourceType):
    """`alicloud.oss.BucketVersioning`."""

    token = "alicloud:oss/bucketVersioning:BucketVersioning"
    create_only = frozenset({"bucket"})
    changeable = frozenset({"status"})

    def create(self, api: Api, inputs: Values) -> str:
        """PutBucketVersioning."""
        return _configured(self, api, inputs)

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetBucketVersioning."""
        request = _sdk().GetBucketVersioningRequest(bucket=resource_id)
        answer = api.call_storage("GetBucketVersioning", lambda client: client.get_bucket_versioning(request))
        return {"bucket": resource_id, **({"status": answer.version_status} if answer.version_status else {})}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """PutBucketVersioning."""
        if new.get("status"):
            _write_versioning(api, resource_id, str(new["status"]))

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """Do nothing: versioning cannot be taken away, and the vendor's provider leaves it."""


class BucketServerSideEncryption(ResourceType):
    """`alicloud.oss.BucketServerSideEncryption`."""

    token = "alicloud:oss/bucketServerSideEncryption:BucketServerSideEncryption"
    create_only = frozenset({"bucket"})
    changeable = frozenset(_ENCRYPTION)

    def create(self, api: Api, inputs: Values) -> str:
        """PutBucketEncryption."""
        return _configured(self, api, inputs)

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetBucketEncryption."""
        request = _sdk().GetBucketEncryptionRequest(bucket=resource_id)
        answer = api.call_storage("GetBucketEncryption", lambda client: client.get_bucket_encryption(request))
        rule = answer.server_side_encryption_rule.apply_server_side_encryption_by_default
        shown = {
            name: getattr(rule, field) for name, field in _ENCRYPTION.items() if getattr(rule, field, None)
        }
        return {"bucket": resource_id, **shown}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """PutBucketEncryption."""
        _write_encryption(api, resource_id, {name: new.get(name) for name in _ENCRYPTION})

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteBucketEncryption."""
        _write_encryption(api, resource_id, None)


class BucketPublicAccessBlock(ResourceType):
    """`alicloud.oss.BucketPublicAccessBlock`."""

    token = "alicloud:oss/bucketPublicAccessBlock:BucketPublicAccessBlock"
    create_only = frozenset({"bucket"})
    changeable = frozenset({"blockPublicAccess"})

    def create(self, api: Api, inputs: Values) -> str:
        """PutBucketPublicAccessBlock."""
        return _configured(self, api, inputs)

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetBucketPublicAccessBlock."""
        request = _sdk().GetBucketPublicAccessBlockRequest(bucket=resource_id)
        answer = api.call_storage(
            "GetBucketPublicAccessBlock", lambda client: client.get_bucket_public_access_block(request)
        )
        block = answer.public_access_block_configuration.block_public_access
        return {"bucket": resource_id, "blockPublicAccess": bool(block)}

    def update(self, api: Api, resource_id: str, old: Values, new: Values) -> None:
        """PutBucketPublicAccessBlock."""
        oss = _sdk()
        configuration = oss.PublicAccessBlockConfiguration(block_public_access=bool(new["blockPublicAccess"]))
        request = oss.PutBucketPublicAccessBlockRequest(
            bucket=resource_id, public_access_block_configuration=configuration
        )
        api.call_storage(
            "PutBucketPublicAccessBlock", lambda client: client.put_bucket_public_access_block(request)
        )

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """DeleteBucketPublicAccessBlock."""
        request = _sdk().DeleteBucketPublicAccessBlockRequest(bucket=resource_id)
        api.call_storage(
            "DeleteBucketPublicAccessBlock", lambda client: client.delete_bucket_public_access_block(request)
        )


def holds_anything(api: Api, bucket: str) -> bool:
    """Tell whether a bucket is there and holds an object, or a version or a mark of a deleted one.

    Raises:
        ResourceError: If the cloud refuses to tell.
    """
    return _exists(api, bucket) and bool(_versions(api, bucket, 1))


def _sdk() -> Any:
    """Give the vendor's package, which takes 0.3 s to import and is not wanted by a stack without buckets."""
    import alibabacloud_oss_v2

    return alibabacloud_oss_v2


def _configured(kind: ResourceType, api: Api, inputs: Values) -> str:
    """Put a bucket's configuration and give its id."""
    bucket = str(inputs["bucket"])
    kind.update(api, bucket, {}, inputs)
    api.operation.allocated(bucket)
    return bucket


def _exists(api: Api, name: str) -> bool:
    request = _sdk().ListBucketsRequest(prefix=name, max_keys=1000)
    found = api.call_storage("ListBuckets", lambda client: client.list_buckets(request)).buckets or ()
    return any(bucket.name == name for bucket in found)


def _write_encryption(api: Api, bucket: str, rule: Mapping[str, Any] | None) -> None:
    oss = _sdk()
    if not rule:
        delete = oss.DeleteBucketEncryptionRequest(bucket=bucket)
        api.call_storage("DeleteBucketEncryption", lambda client: client.delete_bucket_encryption(delete))
        return
    default = oss.ApplyServerSideEncryptionByDefault(
        **nested(rule, _ENCRYPTION, "the bucket's encryption rule")
    )
    put = oss.PutBucketEncryptionRequest(
        bucket=bucket,
        server_side_encryption_rule=oss.ServerSideEncryptionRule(
            apply_server_side_encryption_by_default=default
        ),
    )
    api.call_storage("PutBucketEncryption", lambda client: client.put_bucket_encryption(put))


def _write_versioning(api: Api, bucket: str, status: str) -> None:
    oss = _sdk()
    request = oss.PutBucketVersioningRequest(
        bucket=bucket, versioning_configuration=oss.VersioningConfiguration(status=status)
    )
    api.call_storage("PutBucketVersioning", lambda client: client.put_bucket_versioning(request))


def _write_tags(api: Api, bucket: str, tags: Mapping[str, str]) -> None:
    oss = _sdk()
    if not tags:
        delete = oss.DeleteBucketTagsRequest(bucket=bucket)
        api.call_storage("DeleteBucketTags", lambda client: client.delete_bucket_tags(delete))
        return
    listed = [oss.Tag(key=key, value=value) for key, value in sorted(tags.items())]
    put = oss.PutBucketTagsRequest(bucket=bucket, tagging=oss.Tagging(tag_set=oss.TagSet(tags=listed)))
    api.call_storage("PutBucketTags", lambda client: client.put_bucket_tags(put))


def _read_tags(api: Api, bucket: str) -> dict[str, str]:
    request = _sdk().GetBucketTagsRequest(bucket=bucket)
    tagging = api.call_storage("GetBucketTags", lambda client: client.get_bucket_tags(request)).tagging
    return {tag.key: tag.value or "" for tag in (tagging.tag_set.tags or ())}


def _empty(api: Api, bucket: str) -> bool:
    """Delete a page of a bucket's versions and delete markers; tell whether there was any."""
    oss = _sdk()
    found = _versions(api, bucket, _MAX_DELETED)
    for start in range(0, len(found), _MAX_DELETED):
        batch = found[start : start + _MAX_DELETED]
        objects = [oss.DeleteObject(key=entry.key, version_id=entry.version_id) for entry in batch]
        _delete_objects(api, oss.DeleteMultipleObjectsRequest(bucket=bucket, objects=objects))
    return bool(found)


def _versions(api: Api, bucket: str, num_most: int) -> list[Any]:
    """Return the first versions and delete markers of a bucket."""
    listing = _sdk().ListObjectVersionsRequest(bucket=bucket, max_keys=num_most)
    page = api.call_storage("ListObjectVersions", lambda client: client.list_object_versions(listing))
    return [*(page.version or ()), *(page.delete_marker or ())]


def _delete_objects(api: Api, request: sdk.DeleteMultipleObjectsRequest) -> None:
    api.call_storage("DeleteMultipleObjects", lambda client: client.delete_multiple_objects(request))
