from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelyard.localcloud.proxy.health import Health, ServerStatus
from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nlb import errors
from steelyard.localcloud.services.nlb.listener_actions import ListenerActions
from steelyard.localcloud.services.nlb.load_balancer_actions import LoadBalancerActions
from steelyard.localcloud.services.nlb.models import Listener, Server
from steelyard.localcloud.services.nlb.plan import server_name
from steelyard.localcloud.services.nlb.server_group_actions import ServerGroupActions
from steelyard.localcloud.tag import list_tags, set_tags, unset_tags
from steelyard.localcloud.wire.error import ApiError, invalid_parameter
from steelyard.spec.catalogue import REGIONS

# HAProxy's words for the outcome of a check (management guide, `check_status`), by the API's.
_REASONS = {
    "L4TOUT": "CONNECT_TIMEOUT",
    "L4CON": "CONNECT_FAILED",
    "L7TOUT": "RECV_RESPONSE_TIMEOUT",
    "L7RSP": "HTTP_INVALID_HEADER",
    "L7STS": "HTTP_CODE_NOT_MATCH",
    "SOCKERR": "CONNECT_INTERRUPT",
}


class NlbService(LoadBalancerActions, ListenerActions, ServerGroupActions):
    """Load balancers, listeners, server groups, health, jobs, zones and tags."""

    @action("GetListenerHealthStatus")
    def get_listener_health_status(self, request: Request) -> dict[str, object]:
        """Tell which servers of a listener are not healthy, as HAProxy's checks find it."""
        listener = self.listener(request)
        group = self.server_group(listener.server_group_id)
        is_checked = bool(group.check["HealthCheckEnabled"])
        statuses = self.statuses(listener.load_balancer_id)
        rows = [self._health_row(listener, server, statuses, is_checked) for server in group.servers]
        info = {
            "ServerGroupId": group.id,
            # The API's own spelling.
            "HeathCheckEnabled": is_checked,
            "NonNormalServers": [row for row in rows if row],
        }
        entry = {
            "ListenerId": listener.id,
            "ListenerPort": listener.port,
            "ListenerProtocol": "TCP",
            "ServerGroupInfos": [info],
        }
        return {"ListenerHealthStatus": [entry], "TotalCount": 1, "NextToken": "", "MaxResults": 20}

    @action("GetJobStatus")
    def get_job_status(self, request: Request) -> dict[str, object]:
        """Tell that a change has been carried out."""
        if self.jobs.get(request.text("JobId")) is None:
            raise errors.not_found("job")
        return {"Status": "Succeeded"}

    @action("DescribeZones")
    def describe_zones(self, request: Request) -> dict[str, object]:
        """List the region's zones."""
        return {"Zones": [{"ZoneId": zone, "LocalName": zone} for zone in REGIONS[request.region_id]]}

    @action("DescribeRegions")
    def describe_regions(self, request: Request) -> dict[str, object]:
        """List the regions, all of which this cloud's endpoint serves."""
        return {
            "Regions": [
                {"RegionId": region, "LocalName": region, "RegionEndpoint": self.cloud.endpoint}
                for region in REGIONS
            ]
        }

    @action("TagResources")
    def tag_resources(self, request: Request) -> dict[str, object]:
        """Set tags on load balancers, listeners or server groups."""
        set_tags(request, self._tagged(request), ids_name="ResourceId", not_found=_resource_not_found)
        return {}

    @action("UntagResources")
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all."""
        unset_tags(
            request,
            self._tagged(request),
            ids_name="ResourceId",
            keys_name="TagKey",
            not_found=_resource_not_found,
        )
        return {}

    @action("ListTagResources")
    def list_tag_resources(self, request: Request) -> dict[str, object]:
        """List tags, one entry for each resource and key."""
        page, token = list_tags(request, self._tagged(request), ids_name="ResourceId")
        resource_type = request.text("ResourceType").lower()
        entries = [
            {"ResourceId": record.id, "ResourceType": resource_type, "TagKey": key, "TagValue": value}
            for record, key, value in page
        ]
        return {
            "TagResources": entries,
            "NextToken": token,
            "MaxResults": request.number("MaxResults", 50),
            "TotalCount": len(entries),
        }

    def _health_row(
        self,
        listener: Listener,
        server: Server,
        statuses: Mapping[tuple[str, str], ServerStatus],
        is_checked: bool,
    ) -> dict[str, object] | None:
        """Give what is said of a server, nothing of one that is healthy."""
        status = statuses.get((listener.name, server_name(server)))
        if is_checked and status is not None and status.health is Health.NORMAL:
            return None
        row: dict[str, object] = {
            "ServerId": server["ServerId"],
            "ServerIp": self.find_address(str(server["ServerId"])) or "",
            "Port": server["Port"],
        }
        if not is_checked:
            return {**row, "Status": "Unavailable"}
        if status is None or status.health is Health.UNAVAILABLE:
            return {**row, "Status": "Initial"}
        reason = _REASONS.get(status.reason)
        return {**row, "Status": "Unhealthy", "Reason": {"ReasonCode": reason} if reason else {}}

    def _tagged(self, request: Request) -> Records[Any]:
        kinds: dict[str, Records[Any]] = {
            "loadbalancer": self.load_balancers,
            "servergroup": self.server_groups,
            "listener": self.listeners,
        }
        kind = request.text("ResourceType")
        if kind.lower() not in kinds:
            raise invalid_parameter("ResourceType", kind, f"one of {', '.join(kinds)}")
        return kinds[kind.lower()]


def _resource_not_found(resource_id: str) -> ApiError:
    return errors.not_found(f"resource {resource_id}")
