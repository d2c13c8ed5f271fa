from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.page import token_page
from steelyard.localcloud.service import ApiError, Request, Service, action
from steelyard.localcloud.services.tag import errors
from steelyard.localcloud.services.tag.resource import KINDS, Tagged, TaggedResources
from steelyard.localcloud.tag import check_tag, has_tags, merged_tags
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

_MOST_RESOURCES = 50
_CATEGORY = "Custom"
"""Of every tag here: those that Alibaba Cloud sets itself are of the category `System`."""


class TagService(Service):
    """Tags of all products' resources at once, by the resources' names; they are those that the products keep."""

    code, version = "tag", "2018-08-28"

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._resources = TaggedResources(cloud.store, cloud.identity.account_id)

    def tags_of(self, name: str, region_id: str) -> Mapping[str, str]:
        """Give a resource's tags; none where there is no such resource, or one that has none. RAM asks this."""
        return self._resources.tags_of(name, region_id)

    @action("TagResources")
    def tag_resources(self, request: Request) -> dict[str, object]:
        """Set tags on resources; those that cannot have them are told, the others get them."""
        tags = _read_tags(request)
        if not tags:
            raise missing_parameter("Tags")
        failed = []
        for name in self._names(request):
            try:
                found = self._resources.find(name, request.region_id)
                _keep(found, merged_tags(found.record.tags, tags))
            except ApiError as error:
                failed.append(_failure(name, error))
        return {"FailedResources": {"FailedResource": failed}}

    @action("UntagResources")
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys; resources that are not there are told."""
        keys, failed = request.texts("TagKey"), []
        if not keys:
            raise missing_parameter("TagKey.1")
        for name in self._names(request):
            try:
                found = self._resources.find(name, request.region_id)
            except ApiError as error:
                failed.append(_failure(name, error))
                continue
            _keep(found, {key: value for key, value in found.record.tags.items() if key not in keys})
        return {"FailedResources": {"FailedResource": failed}}

    @action("ListTagResources")
    def list_tag_resources(self, request: Request) -> dict[str, object]:
        """List resources that have tags, with them, by their names and by tags that they have."""
        names, wanted = request.texts("ResourceARN"), _read_tags(request)
        found = [
            one
            for one in self._tagged(request)
            if (not names or one.name in names) and has_tags(one.record.tags, wanted)
        ]
        page, token = token_page(request, found, size_name="PageSize")
        entries = [{"ResourceARN": one.name, "Tags": _answered(one.record.tags)} for one in page]
        return {"TagResources": entries, "NextToken": token}

    @action("ListTagKeys")
    def list_tag_keys(self, request: Request) -> dict[str, object]:
        """List the keys of a region's tags, or of one kind of resource."""
        keys = {key for one in self._tagged(request) for key in one.record.tags}
        filters = request.params.get("TagFilter")
        wanted = _fitting(request, keys, filters.get("Key") if isinstance(filters, Mapping) else None)
        page, token = token_page(request, wanted, size_name="PageSize")
        return {"Keys": {"Key": [{"Key": key, "Category": _CATEGORY} for key in page]}, "NextToken": token}

    @action("ListTagValues")
    def list_tag_values(self, request: Request) -> dict[str, object]:
        """List the values that a key has in a region, or on one kind of resource."""
        tags = [one.record.tags for one in self._tagged(request)]
        values = {each[request.text("Key")] for each in tags if request.text("Key") in each}
        filters = request.params.get("TagFilter")
        wanted = _fitting(request, values, filters.get("Value") if isinstance(filters, Mapping) else None)
        page, token = token_page(request, wanted, size_name="PageSize")
        return {"Values": {"Value": list(page)}, "NextToken": token}

    def _names(self, request: Request) -> Sequence[str]:
        names = list(dict.fromkeys(request.texts("ResourceARN")))
        if len(names) > _MOST_RESOURCES:
            raise errors.too_many_resources(len(names), _MOST_RESOURCES)
        return names

    def _tagged(self, request: Request) -> Iterator[Tagged]:
        """Give what has tags, of the wanted kind and category."""
        if request.text("Category", _CATEGORY).lower() not in (_CATEGORY.lower(), "all"):
            return
        kind = request.text("ResourceType")
        parts = tuple(part.lower() for part in kind.split("::")[1:])
        if kind and parts not in KINDS:
            raise errors.unknown_resource_type(kind)
        for one in self._resources.list(request.region_id):
            if one.record.tags and (not kind or one.kind == parts):
                yield one


def _keep(found: Tagged, tags: Mapping[str, str]) -> None:
    found.records.put(replace(found.record, tags=tags))


def _read_tags(request: Request) -> Mapping[str, str]:
    text = request.text("Tags")
    if not text:
        return {}
    try:
        tags = json.loads(text)
    except ValueError:
        tags = None
    if not isinstance(tags, dict) or not all(isinstance(value, str) for value in tags.values()):
        raise errors.malformed_tags(text)
    for key, value in tags.items():
        check_tag(key, value)
    return tags


def _fitting(request: Request, texts: set[str], wanted: object) -> Sequence[str]:
    how = request.text("FuzzyType", "EQUAL").upper()
    if how not in ("EQUAL", "PREFIX"):
        raise invalid_parameter("FuzzyType", how, "EQUAL or PREFIX")
    ordered = sorted(texts)
    if wanted is None:
        return ordered
    return [text for text in ordered if (text.startswith(str(wanted)) if how == "PREFIX" else text == wanted)]


def _answered(tags: Mapping[str, str]) -> list[dict[str, str]]:
    return [{"Key": key, "Value": value, "Category": _CATEGORY} for key, value in tags.items()]


def _failure(name: str, error: ApiError) -> dict[str, object]:
    return {"ResourceARN": name, "Result": {"Code": error.code, "Message": error.message}}
