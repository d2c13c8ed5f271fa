from __future__ import annotations

from collections.abc import Callable, Sequence

from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.region_actions import RegionActions
from steelyard.localcloud.services.ess.alarm_actions import AlarmActions
from steelyard.localcloud.services.ess.alarm_watch import AlarmWatch
from steelyard.localcloud.services.ess.balance_actions import BalanceActions
from steelyard.localcloud.services.ess.balancer_health import BalancerHealth
from steelyard.localcloud.services.ess.configuration_actions import ConfigurationActions
from steelyard.localcloud.services.ess.group_actions import GroupActions
from steelyard.localcloud.services.ess.health_watch import HealthWatch
from steelyard.localcloud.services.ess.hook_actions import HookActions
from steelyard.localcloud.services.ess.instance_actions import InstanceActions
from steelyard.localcloud.services.ess.notification_actions import NotificationActions
from steelyard.localcloud.services.ess.process_actions import ProcessActions
from steelyard.localcloud.services.ess.refresh_actions import RefreshActions
from steelyard.localcloud.services.ess.refresher import Refresher
from steelyard.localcloud.services.ess.rule_actions import RuleActions
from steelyard.localcloud.services.ess.strength_actions import StrengthActions
from steelyard.localcloud.services.ess.tag_actions import GroupTagActions
from steelyard.localcloud.services.ess.task_actions import TaskActions


class EssService(
    GroupActions,
    ConfigurationActions,
    HookActions,
    InstanceActions,
    ProcessActions,
    BalanceActions,
    RefreshActions,
    StrengthActions,
    NotificationActions,
    GroupTagActions,
    RuleActions,
    AlarmActions,
    TaskActions,
    RegionActions,
):
    """Scaling groups and all that moves them."""

    def __init__(self, cloud: Cloud) -> None:
        super().__init__(cloud)
        self._watch = AlarmWatch(self)
        self._refresher = Refresher(self, self.passage)
        self._health = HealthWatch(self, BalancerHealth(self.backends))

    def timers(self) -> Sequence[Callable[[], None]]:
        """Give what carries out what is due: tasks, even zones, refreshes, load balancers' health, and alarms."""
        return (
            self.run_due_tasks,
            self.rebalance_by_itself,
            self._refresher.look,
            self._health.look,
            self._watch.look,
        )
