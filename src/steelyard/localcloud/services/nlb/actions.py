from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from steelyard.localcloud.record import Records
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.nlb.load_balancer_actions import LoadBalancerActions
from steelyard.localcloud.services.nlb.models import Listener, LoadBalancer, ServerGroup
from steelyard.localcloud.services.nlb.security_policy_actions import SecurityPolicyActions
from steelyard.localcloud.services.nlb.server_group_actions import ServerGroupActions
from steelyard.localcloud.services.zonal.directory_actions import ZonalDirectoryActions
from steelyard.localcloud.services.zonal.health import ZonalHealth


class NlbService(
    LoadBalancerActions,
    SecurityPolicyActions,
    ServerGroupActions,
    ZonalDirectoryActions[LoadBalancer, ServerGroup, Listener],
    ZonalHealth[LoadBalancer, ServerGroup, Listener],
):
    """Load balancers, listeners, server groups, health, jobs, zones and tags."""

    grouped_types = ("loadbalancer", "servergroup", "securitypolicy")
    reasons = {
        "L4TOUT": "CONNECT_TIMEOUT",
        "L4CON": "CONNECT_FAILED",
        "L7TOUT": "RECV_RESPONSE_TIMEOUT",
        "L7RSP": "HTTP_INVALID_HEADER",
        "L7STS": "HTTP_CODE_NOT_MATCH",
        "SOCKERR": "CONNECT_INTERRUPT",
    }

    @action("GetListenerHealthStatus")
    def get_listener_health_status(self, request: Request) -> dict[str, object]:
        """Tell which servers of a listener are not healthy, as HAProxy's checks find it."""
        listener = self.listener(request)
        group = self.server_group(listener.server_group_id)
        statuses = self.statuses(listener.load_balancer_id)
        info = {
            "ServerGroupId": group.id,
            # The API's own spelling.
            "HeathCheckEnabled": bool(group.check["HealthCheckEnabled"]),
            "NonNormalServers": self.unhealthy_servers(listener.name, group, statuses),
        }
        entry = {
            "ListenerId": listener.id,
            "ListenerPort": listener.port,
            "ListenerProtocol": listener.protocol,
            "ServerGroupInfos": [info],
        }
        return {"ListenerHealthStatus": [entry], "TotalCount": 1, "NextToken": "", "MaxResults": 20}

    @action("GetJobStatus")
    def get_job_status(self, request: Request) -> dict[str, object]:
        """Tell that a change has been carried out."""
        job = self.jobs.get(request.text("JobId"))
        if job is None:
            raise self.not_found("job")
        return {"Status": job.status_at(self.cloud.clock(), "Succeeded")}

    @action("ListAsynJobs")
    def list_asyn_jobs(self, request: Request) -> dict[str, object]:
        """Tell of changes which have been carried out; a job that never was is left out."""
        jobs = self.jobs.named(request.texts("JobIds"))
        now = self.cloud.clock()
        found = [{"Id": job.id, "Status": job.status_at(now, "Succeeded")} for job in jobs]
        return {"Jobs": found, "TotalCount": str(len(found))}

    @action("UntagResources")
    def untag_resources(self, request: Request) -> dict[str, object]:
        """Remove tags by their keys, or all."""
        return self.untag(request)

    def tagged_records(self) -> Mapping[str, Records[Any]]:
        """Give what may be tagged, by the product's word for its type."""
        return {
            "loadbalancer": self.load_balancers,
            "servergroup": self.server_groups,
            "listener": self.listeners,
            "securitypolicy": self.security_policies,
        }
