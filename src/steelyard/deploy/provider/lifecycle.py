"""A bucket's lifecycle rules, as Pulumi's `lifecycleRules` and as OSS's `LifecycleConfiguration`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from steelyard.deploy.provider.api import Api
from steelyard.deploy.provider.resource_type import nested
from steelyard.errors import ResourceError

_RULE: Final = {
    "id": "id",
    "prefix": "prefix",
    "enabled": "enabled",
    "expirations": "expirations",
    "transitions": "transitions",
    "abortMultipartUploads": "aborts",
    "noncurrentVersionExpirations": "old_expirations",
    "noncurrentVersionTransitions": "old_transitions",
    "tags": "tags",
}
_EXPIRATION: Final = {
    "days": "days",
    "createdBeforeDate": "created_before_date",
    "expiredObjectDeleteMarker": "expired_object_delete_marker",
}
_TRANSITION: Final = {
    "days": "days",
    "createdBeforeDate": "created_before_date",
    "storageClass": "storage_class",
    "isAccessTime": "is_access_time",
    "returnToStdWhenVisit": "return_to_std_when_visit",
}
_ABORT: Final = {"days": "days", "createdBeforeDate": "created_before_date"}
_OLD_EXPIRATION: Final = {"days": "noncurrent_days"}
_OLD_TRANSITION: Final = {
    "days": "noncurrent_days",
    "storageClass": "storage_class",
    "isAccessTime": "is_access_time",
    "returnToStdWhenVisit": "return_to_std_when_visit",
}


def write_rules(api: Api, bucket: str, rules: Sequence[Mapping[str, Any]]) -> None:
    """PutBucketLifecycle, or DeleteBucketLifecycle where there is no rule."""
    import alibabacloud_oss_v2 as oss

    if not rules:
        delete = oss.DeleteBucketLifecycleRequest(bucket=bucket)
        api.call_storage("DeleteBucketLifecycle", lambda client: client.delete_bucket_lifecycle(delete))
        return
    configuration = oss.LifecycleConfiguration(rules=[_to_api(oss, rule) for rule in rules])
    put = oss.PutBucketLifecycleRequest(bucket=bucket, lifecycle_configuration=configuration)
    api.call_storage("PutBucketLifecycle", lambda client: client.put_bucket_lifecycle(put))


def read_rules(api: Api, bucket: str) -> list[dict[str, Any]]:
    """GetBucketLifecycle."""
    import alibabacloud_oss_v2 as oss

    request = oss.GetBucketLifecycleRequest(bucket=bucket)
    try:
        answer = api.call_storage("GetBucketLifecycle", lambda client: client.get_bucket_lifecycle(request))
    except ResourceError as err:
        if err.code == "NoSuchLifecycle":
            return []
        raise
    return [_from_api(rule) for rule in answer.lifecycle_configuration.rules or ()]


def _to_api(oss: Any, rule: Mapping[str, Any]) -> Any:
    parts = nested(rule, _RULE, "a lifecycle rule")

    def first(name: str, names: Mapping[str, str], make: Any) -> Any:
        entries = parts.get(name)
        return make(**nested(entries[0], names, f"a lifecycle rule's {name}")) if entries else None

    def each(name: str, names: Mapping[str, str], make: Any) -> Any:
        entries = parts.get(name) or ()
        return [make(**nested(entry, names, f"a lifecycle rule's {name}")) for entry in entries] or None

    return oss.LifecycleRule(
        id=parts.get("id"),
        prefix=parts.get("prefix", ""),
        status="Enabled" if parts.get("enabled") else "Disabled",
        expiration=first("expirations", _EXPIRATION, oss.LifecycleRuleExpiration),
        transitions=each("transitions", _TRANSITION, oss.LifecycleRuleTransition),
        abort_multipart_upload=first("aborts", _ABORT, oss.LifecycleRuleAbortMultipartUpload),
        noncurrent_version_expiration=first(
            "old_expirations", _OLD_EXPIRATION, oss.NoncurrentVersionExpiration
        ),
        noncurrent_version_transitions=each(
            "old_transitions", _OLD_TRANSITION, oss.NoncurrentVersionTransition
        ),
        tags=[oss.Tag(key=key, value=value) for key, value in (parts.get("tags") or {}).items()] or None,
    )


def _from_api(rule: Any) -> dict[str, Any]:
    parts = {
        "expirations": _shown([rule.expiration], _EXPIRATION),
        "transitions": _shown(rule.transitions, _TRANSITION),
        "abortMultipartUploads": _shown([rule.abort_multipart_upload], _ABORT),
        "noncurrentVersionExpirations": _shown([rule.noncurrent_version_expiration], _OLD_EXPIRATION),
        "noncurrentVersionTransitions": _shown(rule.noncurrent_version_transitions, _OLD_TRANSITION),
        "tags": {tag.key: tag.value or "" for tag in rule.tags or ()},
    }
    head = {"id": rule.id, "prefix": rule.prefix or "", "enabled": rule.status == "Enabled"}
    return {**head, **{name: value for name, value in parts.items() if value}}


def _shown(entries: Sequence[Any] | None, names: Mapping[str, str]) -> list[dict[str, Any]]:
    return [
        {
            name: getattr(entry, field)
            for name, field in names.items()
            if getattr(entry, field, None) is not None
        }
        for entry in entries or ()
        if entry is not None
    ]
