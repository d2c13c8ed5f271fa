from __future__ import annotations

from typing import Any

from steelyard.localcloud.page import token_page
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.core import EssCore
from steelyard.localcloud.tag import list_tags, set_tags, tag_entries, unset_tags
from steelyard.localcloud.wire.error import invalid_parameter

_DEFAULT_PAGE = 50


class GroupTagActions(EssCore):
    """Tags of scaling groups."""

    @action("TagResources")
    def tag_resources(self, request: Request) -> dict[str, object]:
        """Set tags on groups; members that come later carry them."""
        groups = self._tagged(request)
        set_tags(
            request, groups, ids_name="ResourceIds", tags_name="Tags", not_found=errors.resource_not_found
        )
        return {}

    @action("UntagResources")
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all."""
        unset_tags(
            request,
            self._tagged(request),
            ids_name="ResourceIds",
            keys_name="TagKeys",
            not_found=errors.resource_not_found,
        )
        return {}

    @action("ListTagResources")
    def list_tag_resources(self, request: Request) -> dict[str, object]:
        """List tags, one entry for each group and key."""
        page, token = list_tags(request, self._tagged(request), ids_name="ResourceIds", tags_name="Tags")
        entries = [{**entry, "Propagate": True} for entry in tag_entries(page, "scalinggroup")]
        return {"TagResources": entries, "NextToken": token}

    @action("ListTagKeys")
    def list_tag_keys(self, request: Request) -> dict[str, object]:
        """List the keys of groups' tags."""
        keys = {key for group in self._tagged(request).list() for key in group.tags}
        return self._texts(request, "Keys", keys)

    @action("ListTagValues")
    def list_tag_values(self, request: Request) -> dict[str, object]:
        """List the values that a key has."""
        key = request.text("Key")
        values = {group.tags[key] for group in self._tagged(request).list() if key in group.tags}
        return self._texts(request, "Values", values)

    def _texts(self, request: Request, field: str, texts: set[str]) -> dict[str, object]:
        page, token = token_page(request, sorted(texts), size_name="PageSize", default=_DEFAULT_PAGE)
        return {field: list(page), "NextToken": token, "PageSize": request.number("PageSize", _DEFAULT_PAGE)}

    def _tagged(self, request: Request) -> Records[Any]:
        kind = request.text("ResourceType")
        if kind.lower() != "scalinggroup":
            raise invalid_parameter("ResourceType", kind, "scalinggroup")
        return self.groups
