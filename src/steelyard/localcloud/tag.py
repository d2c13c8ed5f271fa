"""Tags, in the words that the products share."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace

from steelyard.localcloud.page import token_page
from steelyard.localcloud.record import R, Records
from steelyard.localcloud.service import ApiError, Request
from steelyard.localcloud.wire.error import missing_parameter

MAX_TAGS = 20


def read_tags(request: Request, name: str = "Tag") -> dict[str, str]:
    """Give the tags that a call carries, values by key.

    Raises:
        ApiError: For a key that is missing, given twice or reserved, a text too long, or too many tags.
    """
    tags: dict[str, str] = {}
    for record in request.records(name):
        key, value = str(record.get("Key") or ""), str(record.get("Value") or "")
        if not key:
            raise missing_parameter(f"{name}.N.Key")
        if key in tags:
            raise ApiError("Duplicate.TagKey", f"The tag keys are duplicate: {key!r}.")
        check_tag(key, value)
        tags[key] = value
    if len(tags) > MAX_TAGS:
        raise _too_many(len(tags))
    return tags


def check_tag(key: str, value: str) -> None:
    """Check one tag's texts.

    Raises:
        ApiError: `InvalidTagKey.Malformed` or `InvalidTagValue.Malformed`.
    """
    lowered = key.lower()
    if (
        len(key) > 128
        or lowered.startswith(("aliyun", "acs:"))
        or "http://" in lowered
        or "https://" in lowered
    ):
        raise ApiError("InvalidTagKey.Malformed", f"The specified Tag.n.Key is not valid: {key!r}.")
    if len(value) > 128 or "http://" in value or "https://" in value:
        raise ApiError("InvalidTagValue.Malformed", f"The specified Tag.n.Value is not valid: {value!r}.")


def has_tags(tags: Mapping[str, str], wanted: Mapping[str, str]) -> bool:
    """Tell whether tags hold all wanted ones; a wanted value that is empty matches any."""
    return all(key in tags and value in ("", tags[key]) for key, value in wanted.items())


def merged_tags(tags: Mapping[str, str], further: Mapping[str, str]) -> dict[str, str]:
    """Give tags with further ones.

    Raises:
        ApiError: `NumberExceed.Tags`.
    """
    merged = {**tags, **further}
    if len(merged) > MAX_TAGS:
        raise _too_many(len(merged))
    return merged


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Give tags as answers hold them: `Key` and `Value`."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_rows(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Give tags as the answers of ECS, SLB and RAM hold them: `TagKey` and `TagValue`."""
    return [{"TagKey": key, "TagValue": value} for key, value in tags.items()]


def tag_entries(page: Iterable[tuple[R, str, str]], resource_type: str) -> list[dict[str, object]]:
    """Give a page of `list_tags` as the answers of ListTagResources hold it.

    Args:
        page: Records with one of their tags each.
        resource_type: What the product calls them.
    """
    return [
        {"ResourceId": record.id, "ResourceType": resource_type, "TagKey": key, "TagValue": value}
        for record, key, value in page
    ]


def set_tags(
    request: Request,
    records: Records[R],
    *,
    ids_name: str,
    not_found: Callable[[str], ApiError],
    tags_name: str = "Tag",
) -> None:
    """Carry out TagResources.

    Args:
        request: The call, with the tags.
        records: What may be tagged.
        ids_name: The parameter that lists the ids.
        not_found: Makes the error for an id that is not there.
        tags_name: The parameter that lists the tags.

    Raises:
        ApiError: For an unknown id, a malformed tag or too many of them.
    """
    tags = read_tags(request, tags_name)
    if not tags:
        raise missing_parameter(f"{tags_name}.1.Key")
    for record in _named_records(request, records, ids_name, not_found):
        records.put(replace(record, tags=merged_tags(record.tags, tags)))


def unset_tags(
    request: Request,
    records: Records[R],
    *,
    ids_name: str,
    keys_name: str,
    not_found: Callable[[str], ApiError],
) -> None:
    """Carry out UntagResources: remove the keys that the call names, or with `All` and no keys every one.

    Raises:
        ApiError: For an unknown id.
    """
    keys, are_all = request.texts(keys_name), request.flag("All")
    for record in _named_records(request, records, ids_name, not_found):
        kept = {key: value for key, value in record.tags.items() if key not in keys and (keys or not are_all)}
        records.put(replace(record, tags=kept))


def list_tags(
    request: Request,
    records: Records[R],
    *,
    ids_name: str,
    size_name: str = "MaxResults",
    tags_name: str = "Tag",
    most: int = sys.maxsize,
) -> tuple[list[tuple[R, str, str]], str]:
    """Carry out ListTagResources, filtered by the call's region, ids, tags and `TagFilter`.

    Returns:
        One page of (record, key, value), and the token of the next page.
    """
    ids, wanted = request.texts(ids_name), read_tags(request, tags_name)
    entries = [
        (record, key, value)
        for record in records.list()
        if (not ids or record.id in ids)
        and getattr(record, "region_id", request.region_id) == request.region_id
        and has_tags(record.tags, wanted)
        and all(_has_one_of(record.tags, each) for each in request.records("TagFilter"))
        for key, value in record.tags.items()
    ]
    page, token = token_page(request, entries, size_name=size_name, most=most)
    return list(page), token


def _has_one_of(tags: Mapping[str, str], wanted: Mapping[str, object]) -> bool:
    """Tell whether tags have the key of a `TagFilter`, with one of its values where it has any."""
    key, values = str(wanted.get("TagKey") or ""), wanted.get("TagValues") or []
    assert isinstance(values, list)
    return key in tags and (not values or tags[key] in values)


def _named_records(
    request: Request, records: Records[R], ids_name: str, not_found: Callable[[str], ApiError]
) -> list[R]:
    found = []
    for record_id in request.texts(ids_name):
        record = records.get(record_id)
        if record is None or getattr(record, "region_id", request.region_id) != request.region_id:
            raise not_found(record_id)
        found.append(record)
    if not found:
        raise missing_parameter(ids_name)
    return found


def _too_many(num_tags: int) -> ApiError:
    return ApiError("NumberExceed.Tags", f"The maximum number of tags is exceeded: {num_tags} > {MAX_TAGS}.")
