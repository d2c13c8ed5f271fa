"""What the APIs of NLB and ALB, whose load balancers stand in several zones, have in common."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import Any, ClassVar

from steelyard.deploy.engine.provider import Values
from steelyard.deploy.provider.api import Api
from steelyard.deploy.provider.connection import Answer
from steelyard.deploy.provider.resource_type import ResourceType, wait_gone
from steelyard.product import Product


class ZonalType(ResourceType):
    """A resource type of such a product.

    Attributes:
        product: The product.
        busy: Beginnings of the codes of a load balancer that is taking in an earlier change.
    """

    product: ClassVar[Product]
    busy: ClassVar[tuple[str, ...]]

    @abstractmethod
    def has_succeeded(self, api: Api, job_id: str) -> bool:
        """Look whether a job has succeeded."""

    def do_job(self, api: Api, action: str, params: Mapping[str, Any], *retry_on: str) -> None:
        """Call an action that answers with a job, and wait until the job has succeeded.

        Args:
            api: Sends the calls.
            action: The action.
            params: Its parameters.
            retry_on: Beginnings of error codes that pass by themselves, besides `busy`.
        """
        answer = api.call(self.product, action, params, retry_on=(*self.busy, *retry_on))
        self.wait_job(api, action, answer)

    def wait_job(self, api: Api, action: str, answer: Answer) -> None:
        """Wait until the job that an answer names has succeeded; nothing where it names none."""
        job_id = answer.get("JobId")
        if job_id:
            api.wait(
                lambda: True if self.has_succeeded(api, job_id) else None, what=f"{action}, job {job_id}"
            )

    def describe_balancer(self, api: Api, balancer_id: str) -> Answer:
        """GetLoadBalancerAttribute."""
        return api.call(self.product, "GetLoadBalancerAttribute", {"LoadBalancerId": balancer_id})

    def wait_active(self, api: Api, balancer_id: str) -> None:
        """Wait until a load balancer is active."""

        def look() -> bool | None:
            status = self.describe_balancer(api, balancer_id).get("LoadBalancerStatus")
            return True if status == "Active" else None

        api.wait(look, what=f"load balancer {balancer_id}")

    def delete_balancer(self, api: Api, balancer_id: str) -> None:
        """DeleteLoadBalancer, its job, then wait until it is gone."""
        self.do_job(api, "DeleteLoadBalancer", {"LoadBalancerId": balancer_id})
        wait_gone(
            api,
            lambda: bool(self.describe_balancer(api, balancer_id).get("LoadBalancerId")),
            f"load balancer {balancer_id}",
        )

    def describe_listener(self, api: Api, listener_id: str) -> Answer:
        """GetListenerAttribute."""
        return api.call(self.product, "GetListenerAttribute", {"ListenerId": listener_id})

    def wait_listener(self, api: Api, listener_id: str, status: str) -> None:
        """Wait until a listener is in a state."""

        def look() -> bool | None:
            return True if self.describe_listener(api, listener_id).get("ListenerStatus") == status else None

        api.wait(look, what=f"listener {listener_id} to be {status}")

    def delete_listener(self, api: Api, listener_id: str, *retry_on: str) -> None:
        """DeleteListener, its job, then wait until it is gone."""
        self.do_job(api, "DeleteListener", {"ListenerId": listener_id}, *retry_on)
        wait_gone(
            api,
            lambda: bool(self.describe_listener(api, listener_id).get("ListenerId")),
            f"listener {listener_id}",
        )


class SecurityGroupAttachment(ZonalType):
    """A load balancer in one security group."""

    create_only = frozenset({"loadBalancerId", "securityGroupId"})

    def create(self, api: Api, inputs: Values) -> str:
        """LoadBalancerJoinSecurityGroup, and its job."""
        balancer_id, group_id = inputs["loadBalancerId"], inputs["securityGroupId"]
        self._change(api, "LoadBalancerJoinSecurityGroup", balancer_id, group_id)
        attachment_id = f"{balancer_id}:{group_id}"
        api.operation.allocated(attachment_id)
        return attachment_id

    def read(self, api: Api, resource_id: str) -> Values | None:
        """GetLoadBalancerAttribute, and in it the group."""
        balancer_id, group_id = resource_id.split(":")
        if group_id not in (self.describe_balancer(api, balancer_id).get("SecurityGroupIds") or []):
            return None
        return {"loadBalancerId": balancer_id, "securityGroupId": group_id}

    def delete(self, api: Api, resource_id: str, inputs: Values) -> None:
        """LoadBalancerLeaveSecurityGroup, and its job."""
        self._change(api, "LoadBalancerLeaveSecurityGroup", *resource_id.split(":"))

    def _change(self, api: Api, action: str, balancer_id: str, group_id: str) -> None:
        self.do_job(api, action, {"LoadBalancerId": balancer_id, "SecurityGroupIds": [group_id]})
