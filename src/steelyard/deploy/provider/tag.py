"""Tags, which every product keeps in the same way and names a little differently."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import RAM, Api
from steelyard.product import Product


def tag_list(tags: Mapping[str, str] | None) -> list[dict[str, str]] | None:
    """Return tags as the API's `Tag.N.Key`, `Tag.N.Value`; None where there are none."""
    return [{"Key": key, "Value": value} for key, value in sorted(tags.items())] if tags else None


def tag_map(tags: Iterable[Mapping[str, str]]) -> dict[str, str]:
    """Return tags from an answer, which calls them `Key` or `TagKey`."""
    return {tag.get("Key") or tag["TagKey"]: tag.get("Value") or tag.get("TagValue") or "" for tag in tags}


class TagWriter:
    """Changes the tags of one resource.

    Args:
        api: Sends the calls.
        product: The product that the resource belongs to.
        kind: What the product calls it, such as `VPC` or `instance`.
        untag_action: The product's spelling of the action that takes tags away.
    """

    def __init__(
        self, api: Api, product: Product, kind: str, *, untag_action: str = "UntagResources"
    ) -> None:
        self._api = api
        self._product = product
        self._kind = kind
        self._untag_action = untag_action

    def change(self, resource_id: str, old: Values, new: Values) -> None:
        """Bring the tags from the old inputs' to the new inputs'."""
        before: Mapping[str, str] = old.get("tags") or {}
        after: Mapping[str, str] = new.get("tags") or {}
        gone = sorted(before.keys() - after.keys())
        if gone:
            self._untag(resource_id, gone)
        fresh = {key: value for key, value in after.items() if before.get(key) != value}
        if fresh:
            tags = self._many(tag_list(fresh))
            self._api.call(self._product, "TagResources", {**self._target(resource_id), "Tag": tags})

    def read(self, resource_id: str) -> dict[str, str]:
        """Return the tags (`ListTagResources`)."""
        answer = self._api.call(self._product, "ListTagResources", self._target(resource_id))
        resources: Any = answer.get("TagResources") or []
        # RAM gives the plain list, the others wrap it once more.
        rows: Sequence[Mapping[str, str]] = (
            resources if isinstance(resources, list) else resources.get("TagResource") or []
        )
        return tag_map(rows)

    def _untag(self, resource_id: str, keys: list[str]) -> None:
        name = "TagKeys" if self._product is RAM else "TagKey"
        self._api.call(
            self._product, self._untag_action, {**self._target(resource_id), name: self._many(keys)}
        )

    def _target(self, resource_id: str) -> dict[str, Any]:
        name = "ResourceNames" if self._product is RAM else "ResourceId"
        return {"ResourceType": self._kind, name: self._many([resource_id])}

    def _many(self, items: Any) -> Any:
        """Return a list as the product takes it: RAM wants JSON text, the others dotted names."""
        return json.dumps(items) if self._product is RAM else items
