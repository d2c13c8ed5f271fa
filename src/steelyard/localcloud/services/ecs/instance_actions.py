from __future__ import annotations

import base64
from collections.abc import Mapping, Sequence
from typing import TypeVar

from steelyard.localcloud.page import Pageable, number_page, token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ecs import errors
from steelyard.localcloud.services.ecs.instance_filter import instance_filter
from steelyard.localcloud.services.ecs.models import Instance
from steelyard.localcloud.services.ecs.state import EcsState, read_json_texts
from steelyard.localcloud.text import utc_text

T = TypeVar("T")
_MAX_PAGE = 100
_NO_FILTERS = frozenset(
    ("RegionId", "PageNumber", "PageSize", "MaxResults", "NextToken", "AdditionalAttributes", "DryRun")
)
"""Parameters of lists that leave nothing out."""
TOKEN_PAGE = range(10, 100 + 1)
"""Sizes of the pages that tokens lead through; another is taken for the nearest (help page of DescribeInstances)."""


class InstanceActions(EcsState):
    """What the API tells of instances."""

    @action("DescribeInstances")
    def describe_instances(self, request: Request) -> dict[str, object]:
        """List instances by ids, addresses, name, network, state, type, group and tags."""
        page, head = both_pages(request, self._found(request))
        rows = [
            one.to_list_answer(
                [interface.to_short_answer() for interface in self.interfaces_of(one.id)],
                self._eip_answer(one.id),
            )
            for one in page
        ]
        return {**head, "Instances": {"Instance": rows}}

    @action("DescribeInstanceStatus")
    def describe_instance_status(self, request: Request) -> dict[str, object]:
        """List the states of instances."""
        ids, zone_id = request.texts("InstanceId"), request.text("ZoneId")
        found: Pageable[Instance] = self.instances.paged("region_id", request.region_id)
        if ids or zone_id:
            found = [
                instance
                for instance in (self.instances.named(ids) if ids else self.in_region(request))
                if instance.region_id == request.region_id and zone_id in ("", instance.zone_id)
            ]
        page, head = number_page(request, found)
        rows = [{"InstanceId": instance.id, "Status": instance.status} for instance in page]
        return {**head, "InstanceStatuses": {"InstanceStatus": rows}}

    @action("DescribeInstanceAttribute")
    def describe_instance_attribute(self, request: Request) -> dict[str, object]:
        """Give one instance."""
        instance = self.instance(request)
        eip = self._eip_answer(instance.id)
        answer = {**instance.to_answer(), "IoOptimized": "optimized", "CreditSpecification": ""}
        return {**answer, "EipAddress": eip} if eip else answer

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

    def in_region(self, request: Request) -> Sequence[Instance]:
        """Give the instances of the call's region."""
        return self.instances.where("region_id", request.region_id)

    def _found(self, request: Request) -> Pageable[Instance]:
        if names_no_filter(request):
            return self.instances.paged("region_id", request.region_id)
        ids = read_json_texts(request, "InstanceIds")
        matches = instance_filter(
            request, lambda instance_id: [eip.address for eip in self.vpc.eips_of(instance_id)]
        )
        candidates = self.instances.named(ids) if ids else self.instances.where(*network_of(request))
        return [one for one in candidates if one.region_id == request.region_id and matches(one)]

    def _eip_answer(self, instance_id: str) -> Mapping[str, object]:
        """Give what answers on an instance tell of its elastic address; nothing where it has none."""
        return next((eip.to_instance_answer() for eip in self.vpc.eips_of(instance_id)), {})


def names_no_filter(request: Request) -> bool:
    """Tell whether a call asks for all of its region, so that no more than a page has to be read."""
    return request.params.keys() <= _NO_FILTERS


def network_of(request: Request) -> tuple[str, str]:
    """Give the narrowest network that a call names, as the store finds what belongs to it; the region at the least."""
    for parameter, name in (("VSwitchId", "vswitch_id"), ("VpcId", "vpc_id")):
        if request.text(parameter):
            return name, request.text(parameter)
    return "region_id", request.region_id


def both_pages(
    request: Request, items: Pageable[T], sizes: range = TOKEN_PAGE
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
