from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess.backends import Row
from steelyard.localcloud.services.ess.core import EssCore
from steelyard.localcloud.services.ess.models import SERVING, ScalingGroup
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter, not_served

_DEFAULT_WEIGHT = 50


class AttachmentActions(EssCore):
    """Load balancers that send traffic to a group's members.

    With `ForceAttach` the members that serve already are added, and with `ForceDetach` removed; else later ones alone
    feel the change.
    """

    @action("AttachServerGroups")
    def attach_server_groups(self, request: Request) -> dict[str, object]:
        """Attach server groups of application and network load balancers."""
        return self._attach(request, read_rows(request))

    @action("DetachServerGroups")
    def detach_server_groups(self, request: Request) -> dict[str, object]:
        """Detach server groups of application and network load balancers."""
        return self._detach(request, read_rows(request))

    @action("AttachAlbServerGroups")
    def attach_alb_server_groups(self, request: Request) -> dict[str, object]:
        """Attach server groups of application load balancers."""
        return self._attach(request, read_rows(request))

    @action("DetachAlbServerGroups")
    def detach_alb_server_groups(self, request: Request) -> dict[str, object]:
        """Detach server groups of application load balancers."""
        return self._detach(request, read_rows(request))

    @action("AttachVServerGroups")
    def attach_v_server_groups(self, request: Request) -> dict[str, object]:
        """Attach server groups of classic load balancers."""
        return self._attach(request, read_rows(request))

    @action("DetachVServerGroups")
    def detach_v_server_groups(self, request: Request) -> dict[str, object]:
        """Detach server groups of classic load balancers."""
        return self._detach(request, read_rows(request))

    @action("AttachLoadBalancers")
    def attach_load_balancers(self, request: Request) -> dict[str, object]:
        """Attach classic load balancers, whose default servers the members become."""
        return self._attach(request, read_balancers(request, request.texts("LoadBalancers")))

    @action("DetachLoadBalancers")
    def detach_load_balancers(self, request: Request) -> dict[str, object]:
        """Detach classic load balancers."""
        return self._detach(request, read_balancers(request, request.texts("LoadBalancers")))

    def _attach(self, request: Request, rows: Sequence[Row]) -> dict[str, object]:
        group = self.standing_group(request)
        if not rows:
            raise missing_parameter("ServerGroups")
        for row in rows:
            self.backends.check(row)
        known = {_key(row): row for row in group.server_groups}
        known.update((_key(row), row) for row in rows)
        self.groups.put(replace(group, server_groups=tuple(dict(row) for row in known.values())))
        if request.flag("ForceAttach"):
            for member in self.members_of(group.id):
                for row in rows if member.state in SERVING else ():
                    self.backends.add_to(row, member)
        return self._done(group, "Attach server groups.")

    def _detach(self, request: Request, rows: Sequence[Row]) -> dict[str, object]:
        group = self.standing_group(request)
        gone = {_key(row) for row in rows}
        kept = tuple(row for row in group.server_groups if _key(row) not in gone)
        self.groups.put(replace(group, server_groups=kept))
        if request.flag("ForceDetach"):
            for member in self.members_of(group.id):
                for row in (row for row in group.server_groups if _key(row) in gone):
                    self.backends.remove_from(row, member.id)
        return self._done(group, "Detach server groups.")

    def _done(self, group: ScalingGroup, description: str) -> dict[str, object]:
        cause = "The server groups of the scaling group were changed by a user."
        activity = self.begin_activity(group, cause, description, status="Successful")
        return {"ScalingActivityId": activity.id}


def read_rows(request: Request) -> list[dict[str, object]]:
    """Read the server groups that a call names in any of the API's forms.

    Raises:
        ApiError: `InvalidParameter` for a kind that there is not.
    """
    rows: list[dict[str, object]] = []
    for one in request.records("ServerGroups"):
        kind = str(one.get("Type") or "")
        if kind == "GWLB":
            raise not_served("server groups of type GWLB")
        if kind not in ("ALB", "NLB"):
            raise invalid_parameter("ServerGroups.Type", kind, "ALB, NLB or GWLB")
        rows.append(_row(kind, str(one["ServerGroupId"]), one))
    for one in request.records("AlbServerGroups"):
        rows.append(_row("ALB", str(one.get("AlbServerGroupId")), one))
    for balancer in request.records("VServerGroups"):
        attributes = balancer.get("VServerGroupAttributes") or []
        assert isinstance(attributes, list)
        for one in attributes:
            row = _row("VServerGroup", str(one.get("VServerGroupId")), one)
            rows.append({**row, "LoadBalancerId": balancer.get("LoadBalancerId") or ""})
    return rows


def read_balancers(request: Request, names: Sequence[str]) -> list[dict[str, object]]:
    """Read classic load balancers by their ids, and those of `LoadBalancerConfigs` with a weight each.

    Those without a weight give members the one of their scaling configuration.
    """
    rows: list[dict[str, object]] = [{"LoadBalancerId": name, "Weight": None} for name in names]
    for one in request.records("LoadBalancerConfigs"):
        rows.append({"LoadBalancerId": str(one["LoadBalancerId"]), "Weight": _weight(one)})
    return [{"Type": "CLB", **row} for row in rows]


def _row(kind: str, group_id: str, given: Mapping[str, object]) -> dict[str, object]:
    port = given.get("Port")
    if not isinstance(port, int) or not 1 <= port <= 65535:
        raise invalid_parameter("ServerGroups.Port", port, "from 1 to 65535")
    return {"Type": kind, "ServerGroupId": group_id, "Port": port, "Weight": _weight(given)}


def _weight(given: Mapping[str, object]) -> int:
    weight = given.get("Weight")
    if weight is None:
        return _DEFAULT_WEIGHT
    if not isinstance(weight, int) or not 0 <= weight <= 100:
        raise invalid_parameter("ServerGroups.Weight", weight, "from 0 to 100")
    return weight


def _key(row: Row) -> tuple[object, ...]:
    return row["Type"], row.get("ServerGroupId"), row.get("Port"), row.get("LoadBalancerId", "")
