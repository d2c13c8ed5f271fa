from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TypeVar

from steelyard.localcloud.page import number_page, token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import errors
from steelyard.localcloud.services.ecs.instance_filter import instance_filter
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.services.ecs.state import EcsState, read_json_texts
from steelyard.localcloud.services.vpc.egress_models import Eip
from steelyard.localcloud.text import utc_text

T = TypeVar("T")
_MAX_PAGE = 100
TOKEN_PAGE = range(10, 100 + 1)
"""Sizes of the pages that tokens lead through; another is taken for the nearest (help page of DescribeInstances)."""


class InstanceActions(EcsState):
    """What the API tells of instances."""

    @action("DescribeInstances")
    def describe_instances(self, request: Request) -> dict[str, object]:
        """List instances by ids, addresses, name, network, state, type, group and tags."""
        eips = self._eips()
        page, head = both_pages(request, self._found(request, eips))
        others: dict[str, list[dict[str, object]]] = {}
        for interface in self.interfaces.list() if page else ():
            others.setdefault(interface.instance_id, []).append(interface.to_short_answer())
        rows = [
            one.to_list_answer(
                others.get(one.id, ()), eips[one.id].to_instance_answer() if one.id in eips else {}
            )
            for one in page
        ]
        return {**head, "Instances": {"Instance": rows}}

    @action("DescribeInstanceStatus")
    def describe_instance_status(self, request: Request) -> dict[str, object]:
        """List the states of instances."""
        ids, zone_id = request.texts("InstanceId"), request.text("ZoneId")
        found = [
            instance
            for instance in (self.instances.named(ids) if ids else self.instances.list())
            if instance.region_id == request.region_id and zone_id in ("", instance.zone_id)
        ]
        page, head = number_page(request, found)
        rows = [{"InstanceId": instance.id, "Status": instance.status} for instance in page]
        return {**head, "InstanceStatuses": {"InstanceStatus": rows}}

    @action("DescribeInstanceAttribute")
    def describe_instance_attribute(self, request: Request) -> dict[str, object]:
        """Give one instance."""
        instance = self.instance(request)
        eip = self._eips().get(instance.id)
        answer = {**instance.to_answer(), "IoOptimized": "optimized", "CreditSpecification": ""}
        return {**answer, "EipAddress": eip.to_instance_answer()} if eip is not None else answer

    @action("DescribeUserData")
    def describe_user_data(self, request: Request) -> dict[str, object]:
        """Give an instance's user data, in base64."""
        instance = self.instance(request)
        return {"InstanceId": instance.id, "RegionId": instance.region_id, "UserData": instance.user_data}

    @action("GetInstanceConsoleOutput")
    def get_instance_console_output(self, request: Request) -> dict[str, object]:
        """Give an instance's newest output, in base64."""
        instance = self.instance(request)
        output = base64.b64encode(self.host.console(instance.id)).decode()
        return {
            "InstanceId": instance.id,
            "ConsoleOutput": output,
            "LastUpdateTime": utc_text(self.cloud.clock()),
        }

    def in_region(self, request: Request) -> list[Instance]:
        """Give the instances of the call's region."""
        return [instance for instance in self.instances.list() if instance.region_id == request.region_id]

    def _found(self, request: Request, eips: Mapping[str, Eip]) -> list[Instance]:
        ids = read_json_texts(request, "InstanceIds")
        matches = instance_filter(request, {instance_id: {eip.address} for instance_id, eip in eips.items()})
        candidates = self.instances.named(ids) if ids else self.instances.list()
        return [one for one in candidates if one.region_id == request.region_id and matches(one)]

    def _eips(self) -> dict[str, Eip]:
        """Give the elastic addresses of instances, by their ids."""
        return {eip.instance_id: eip for eip in self.vpc.eips.list() if eip.is_bound}


def both_pages(
    request: Request, items: Sequence[T], sizes: range = TOKEN_PAGE
) -> tuple[Sequence[T], dict[str, object]]:
    """Cut out a page in the style that the call uses: `NextToken` with `MaxResults`, or `PageNumber`.

    Args:
        request: The call.
        items: All items, in an order that does not change between calls.
        sizes: What `MaxResults` may be; another is taken for the nearest.

    Returns:
        The page's items, and the answer's `TotalCount`, `PageNumber`, `PageSize` and `NextToken`.
    """
    if request.text("NextToken") or "MaxResults" in request.params:
        page, token = token_page(request, items, default=sizes[0], nearest=sizes)
        return page, {"TotalCount": len(items), "NextToken": token}
    page, head = number_page(request, items, max_size=_MAX_PAGE)
    return page, {**head, "NextToken": ""}


def refuse_released(instance: Instance) -> None:
    """Refuse to change an instance that is on its way out.

    Raises:
        ApiError: `IncorrectInstanceStatus`.
    """
    if instance.is_released:
        raise errors.incorrect_status(instance.status)
