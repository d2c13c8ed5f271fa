from __future__ import annotations

from dataclasses import replace

from steelyard.localcloud.page import number_page, token_page
from steelyard.localcloud.service import Request, action
from steelyard.localcloud.services.ess import errors
from steelyard.localcloud.services.ess.core import EssCore, changed_hook
from steelyard.localcloud.services.ess.models import LifecycleAction, LifecycleHook
from steelyard.localcloud.wire.error import invalid_parameter, missing_parameter

_RESULTS = ("CONTINUE", "ABANDON", "ROLLBACK")


class HookActions(EssCore):
    """Lifecycle hooks and the members that wait at them.

    Each member has a token of its own at each hook. No message is sent to a hook's `NotificationArn`; who is to act
    asks DescribeLifecycleActions.
    """

    @action("CreateLifecycleHook")
    def create_lifecycle_hook(self, request: Request) -> dict[str, object]:
        """Create a hook, at which members wait that come or go from now on."""
        return {"LifecycleHookId": self.make_hook(self.standing_group(request), request.params).id}

    @action("DescribeLifecycleHooks")
    def describe_lifecycle_hooks(self, request: Request) -> dict[str, object]:
        """List hooks by group, ids and name."""
        ids = request.texts("LifecycleHookIds")
        found = [
            hook
            for hook in self.hooks.list()
            if request.text("ScalingGroupId") in ("", hook.group_id)
            and (not ids or hook.id in ids)
            and request.text("LifecycleHookName") in ("", hook.name)
        ]
        page, head = number_page(request, found)
        return {**head, "LifecycleHooks": [hook.to_answer() for hook in page]}

    @action("ModifyLifecycleHook")
    def modify_lifecycle_hook(self, request: Request) -> dict[str, object]:
        """Change a hook; members that wait at it keep their time."""
        self.hooks.put(changed_hook(self._hook(request), request.params))
        return {}

    @action("DeleteLifecycleHook")
    def delete_lifecycle_hook(self, request: Request) -> dict[str, object]:
        """Delete a hook; members that wait at it go on."""
        hook = self._hook(request)
        self.hooks.delete(hook.id)
        for waiting in self.lifecycle_actions.list():
            if waiting.hook_id == hook.id and waiting.status == "Pending":
                self.lifecycle_actions.put(replace(waiting, status="Completed", result="CONTINUE"))
        self.wake()
        return {}

    @action("DescribeLifecycleActions")
    def describe_lifecycle_actions(self, request: Request) -> dict[str, object]:
        """List who waits, or waited, in a scaling activity, with the tokens."""
        status = request.text("LifecycleActionStatus")
        found = [
            waiting
            for waiting in self.lifecycle_actions.list()
            if waiting.activity_id == request.text("ScalingActivityId") and status in ("", waiting.status)
        ]
        page, token = token_page(request, found, default=10)
        return {
            "LifecycleActions": [waiting.to_answer() for waiting in page],
            "TotalCount": len(found),
            "MaxResults": request.number("MaxResults", 10),
            "NextToken": token,
        }

    @action("CompleteLifecycleAction")
    def complete_lifecycle_action(self, request: Request) -> dict[str, object]:
        """Let a member go on, with the hook's default result where the call gives none."""
        waiting = self._waiting(request.text("LifecycleHookId"), request.text("LifecycleActionToken"))
        hook = self.hooks.get(waiting.hook_id)
        result = request.text("LifecycleActionResult") or (hook.default_result if hook else "CONTINUE")
        if result not in _RESULTS:
            raise invalid_parameter("LifecycleActionResult", result, f"one of {', '.join(_RESULTS)}")
        self.lifecycle_actions.put(replace(waiting, status="Completed", result=result))
        self.wake()
        return {}

    @action("RecordLifecycleActionHeartbeat")
    def record_lifecycle_action_heartbeat(self, request: Request) -> dict[str, object]:
        """Let a member wait longer."""
        waiting = self._waiting(request.text("lifecycleHookId"), request.text("lifecycleActionToken"))
        hook = self.hooks.get(waiting.hook_id)
        timeout_s = request.number("heartbeatTimeout", hook.heartbeat_timeout_s if hook else 600)
        if not 30 <= timeout_s <= 21600:
            raise invalid_parameter("heartbeatTimeout", timeout_s, "from 30 to 21600")
        self.lifecycle_actions.put(replace(waiting, expires_at=self.cloud.clock() + timeout_s))
        return {}

    def _waiting(self, hook_id: str, token: str) -> LifecycleAction:
        if self.hooks.get(hook_id) is None:
            raise errors.hook_not_found(hook_id)
        waiting = self.lifecycle_actions.get(token)
        if waiting is None or waiting.hook_id != hook_id or waiting.status != "Pending":
            raise errors.token_not_found(token)
        return waiting

    def _hook(self, request: Request) -> LifecycleHook:
        hook_id, name = request.text("LifecycleHookId"), request.text("LifecycleHookName")
        if hook_id:
            hook = self.hooks.get(hook_id)
            if hook is None:
                raise errors.hook_not_found(hook_id)
            return hook
        if not name or not request.text("ScalingGroupId"):
            raise missing_parameter("LifecycleHookId")
        for hook in self.hooks_of(self.group(request).id):
            if hook.name == name:
                return hook
        raise errors.hook_not_found(name)
