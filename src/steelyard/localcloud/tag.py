"""Tags, in the words that the products share."""

from __future__ import annotations

from collections.abc import Mapping

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
        raise ApiError(
            "NumberExceed.Tags", f"The maximum number of tags is exceeded: {len(tags)} > {MAX_TAGS}."
        )
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


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Give tags as answers hold them: `Key` and `Value`."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]
