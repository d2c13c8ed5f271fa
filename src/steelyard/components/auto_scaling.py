from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from dataclasses import dataclass

import pulumi
from pulumi_alicloud import cms, ecs, ess, ram

from steelyard.components.egress import BANDWIDTH_MBIT_PER_S
from steelyard.components.node_group import NodeGroupArgs, node_script, spot_strategy
from steelyard.components.node_policy import Place, document, scaling_statements
from steelyard.components.scaling_trigger import ALARM_MINUTES, ScalingTriggers
from steelyard.components.tag import cluster_tags, node_tags
from steelyard.components.title import shortened
from steelyard.errors import UsageError
from steelyard.spec import DataDiskSpec
from steelyard.spec.scaling import ScalingSpec

_CONTACT_TITLE = 36
"""Of the 40 characters of a contact's name (doc of AlarmContact), with room for its number."""
_OVERLOAD_PERCENT = 90
_SERVER_GROUP_TYPES = {"network": "NLB", "application": "ALB"}


@dataclass(frozen=True, kw_only=True)
class AutoScalingArgs:
    """What `AutoScaling` is made from.

    Attributes:
        nodes: The kind of nodes, as for a `NodeGroup`; `head_address` is needed, `count` has no meaning.
        scaling: How many there are, and what moves their number; `max` is above 0.
        load_balancer_id: The load balancer that the server group belongs to.
        region: The cluster's region.
        account_id: Account that the scaling group belongs to.
        watched_ids: Instances whose load CloudMonitor watches for `alarm_mails`.
    """

    nodes: NodeGroupArgs
    scaling: ScalingSpec
    load_balancer_id: pulumi.Input[str]
    region: str
    account_id: pulumi.Input[str]
    watched_ids: Sequence[pulumi.Input[str]] = ()


class AutoScaling(pulumi.ComponentResource):
    """Nodes that come and go: a scaling group over the zones, behind the load balancer, and what moves it.

    What scaling did is not undone by a later `up`:

    - The number of nodes that is wanted is given once, at the creation, and ignored from then on. The bounds are not.
    - Members are in no list of this program. The scaling group itself adds them to the server group and takes them out,
      and the fixed nodes are attached one by one, so that neither sees the other's as a difference. A resource that
      lists a server group's servers (`alb.ServerGroup.servers`, `slb.BackendServer`) would remove the members at the
      next `up`: issues 5671 and 8729 of the vendor's provider. That is why an application load balancer is refused.

    A member that is to go leaves the server group first, and then has `drain_timeout_s` at a lifecycle hook to end the
    jobs on it: the node sees that it is to go, drains, and tells the hook when it is done.

    Attributes:
        scaling_group_id: Id of the scaling group.
        launch_template_id: Id of the template that its nodes are made by.

    Raises:
        UsageError: Something that it needs is missing, or the load balancer is of a kind that it cannot serve.
    """

    scaling_group_id: pulumi.Output[str]
    launch_template_id: pulumi.Output[str]

    def __init__(self, name: str, args: AutoScalingArgs, opts: pulumi.ResourceOptions | None = None) -> None:
        _check(args)
        super().__init__("steelyard:index:AutoScaling", name, None, opts)
        self._name, self._args = name, args
        self._on_demand_percent = args.scaling.on_demand_share(is_spot=args.nodes.spot.enabled)
        template = self._create_template()
        group = self._create_group(template)
        self.scaling_group_id, self.launch_template_id = group.id, template.id
        self._attach(group)
        self._create_hook(group)
        if args.nodes.role_name is not None:
            self._allow_draining(group)
        ScalingTriggers(
            name=name,
            scaling_group_id=group.id,
            nodes=args.nodes,
            scaling=args.scaling,
            options=self._options(),
        ).declare()
        if args.scaling.alarm_mails and args.watched_ids:
            self._create_alarm()
        self.register_outputs(
            {
                "scaling_group_id": self.scaling_group_id,
                "launch_template_id": self.launch_template_id,
            }
        )

    @property
    def _title(self) -> str:
        return f"{self._args.nodes.cluster}-{self._args.nodes.group}"

    @property
    def _has_spot(self) -> bool:
        return self._on_demand_percent < 100

    def _options(
        self, *, ignore: Sequence[str] = (), depends_on: Sequence[pulumi.Resource] = ()
    ) -> pulumi.ResourceOptions:
        # Names are given, and are unique in the account or the group: the old one has to go first.
        return pulumi.ResourceOptions(
            parent=self, delete_before_replace=True, ignore_changes=list(ignore), depends_on=list(depends_on)
        )

    def _create_template(self) -> ecs.EcsLaunchTemplate:
        nodes = self._args.nodes
        script = node_script(nodes, role="worker", head_address=nodes.head_address, is_elastic=True)
        options = pulumi.ResourceOptions.merge(
            self._options(), pulumi.ResourceOptions(additional_secret_outputs=["user_data"])
        )
        return ecs.EcsLaunchTemplate(
            f"{self._name}-template",
            launch_template_name=self._title,
            instance_name=f"{self._title}-scaled",
            instance_type=nodes.instance_type,
            instance_charge_type="PostPaid",
            spot_strategy=spot_strategy(nodes.spot) if self._has_spot else "NoSpot",
            spot_price_limit=nodes.spot.max_price if self._has_spot else None,
            image_id=nodes.image_id,
            security_group_ids=[nodes.security_group_id],
            internet_max_bandwidth_out=BANDWIDTH_MBIT_PER_S if nodes.has_public_address else 0,
            internet_charge_type="PayByTraffic" if nodes.has_public_address else None,
            system_disk=ecs.EcsLaunchTemplateSystemDiskArgs(
                category=nodes.disk.category,
                size=nodes.disk.size_gib,
                encrypted=True,
                delete_with_instance=True,
            ),
            data_disks=[_data_disk(disk) for disk in nodes.data_disks] or None,
            key_pair_name=nodes.key_pair,
            http_endpoint="enabled",
            http_tokens="required",
            ram_role_name=nodes.role_name,
            # The API takes it encoded.
            user_data=script.apply(lambda text: base64.b64encode(text.encode()).decode()),
            tags=node_tags(nodes.cluster, nodes.group, "worker"),
            template_tags=cluster_tags(nodes.cluster),
            opts=options,
        )

    def _create_group(self, template: ecs.EcsLaunchTemplate) -> ess.ScalingGroup:
        nodes, scaling, has_spot = self._args.nodes, self._args.scaling, self._has_spot
        return ess.ScalingGroup(
            f"{self._name}-group",
            scaling_group_name=self._title,
            min_size=scaling.min,
            max_size=scaling.max,
            desired_capacity=scaling.min,
            default_cooldown=scaling.cooldown_s,
            vswitch_ids=list(nodes.own_vswitch_ids),
            multi_az_policy="COMPOSABLE" if has_spot else "BALANCE",
            az_balance=True if has_spot else None,
            capacity_options_on_demand_base_capacity=scaling.on_demand_base if has_spot else None,
            capacity_options_on_demand_percentage_above_base_capacity=(
                self._on_demand_percent if has_spot else None
            ),
            # One that is about to be reclaimed makes room for another while it ends its jobs.
            spot_instance_remedy=True if has_spot else None,
            # The youngest node has the least to lose.
            removal_policies=["NewestInstance"],
            health_check_type="ECS",
            launch_template_id=template.id,
            launch_template_version="Latest",
            tags=cluster_tags(nodes.cluster),
            opts=self._options(ignore=["desiredCapacity"], depends_on=nodes.boot_after),
        )

    def _attach(self, group: ess.ScalingGroup) -> None:
        nodes = self._args.nodes
        if nodes.balancer_kind == "classic":
            attribute = ess.ScalingGroupVServerGroupsVserverGroupVserverAttributeArgs(
                vserver_group_id=nodes.server_group_id, port=nodes.gateway_port, weight=nodes.weight
            )
            ess.ScalingGroupVServerGroups(
                f"{self._name}-servers",
                scaling_group_id=group.id,
                vserver_groups=[
                    ess.ScalingGroupVServerGroupsVserverGroupArgs(
                        loadbalancer_id=self._args.load_balancer_id, vserver_attributes=[attribute]
                    )
                ],
                opts=self._options(),
            )
            return
        ess.ServerGroupAttachment(
            f"{self._name}-servers",
            scaling_group_id=group.id,
            server_group_id=nodes.server_group_id,
            type=_SERVER_GROUP_TYPES[nodes.balancer_kind],
            port=nodes.gateway_port,
            weight=nodes.weight,
            # The group may have members by now.
            force_attach=True,
            opts=self._options(),
        )

    def _create_hook(self, group: ess.ScalingGroup) -> None:
        ess.LifecycleHook(
            f"{self._name}-drain",
            scaling_group_id=group.id,
            name="drain",
            lifecycle_transition="SCALE_IN",
            heartbeat_timeout=self._args.scaling.drain_timeout_s,
            default_result="CONTINUE",
            opts=self._options(),
        )

    def _allow_draining(self, group: ess.ScalingGroup) -> None:
        """Let a node see that its own scaling group takes it away, and tell that it has drained."""
        args = self._args

        def write(known: list[str]) -> str:
            place = Place(cluster=args.nodes.cluster, region=args.region, account_id=known[0])
            return document(scaling_statements(place, known[1]))

        policy = ram.Policy(
            f"{self._name}-policy",
            policy_name=f"{self._title}-{args.region}-scaled",
            description=f"What scaled nodes of the Steelyard cluster {args.nodes.cluster} may do",
            policy_document=pulumi.Output.all(args.account_id, group.id).apply(write),
            tags=cluster_tags(args.nodes.cluster),
            opts=self._options(),
        )
        ram.RolePolicyAttachment(
            f"{self._name}-policy-attachment",
            role_name=args.nodes.role_name,
            policy_name=policy.policy_name,
            policy_type="Custom",
            opts=self._options(),
        )

    def _create_alarm(self) -> None:
        title = shortened(self._title, _CONTACT_TITLE)
        contacts = [
            cms.AlarmContact(
                f"{self._name}-contact-{i}",
                alarm_contact_name=f"{title}-{i}",
                describe=f"Steelyard cluster {self._args.nodes.cluster}",
                channels_mail=mail,
                opts=self._options(),
            )
            for i, mail in enumerate(self._args.scaling.alarm_mails)
        ]
        group = cms.AlarmContactGroup(
            f"{self._name}-contacts",
            alarm_contact_group_name=title,
            contacts=[contact.id for contact in contacts],
            opts=self._options(),
        )
        watched = pulumi.Output.all(*self._args.watched_ids)
        cms.Alarm(
            f"{self._name}-overload",
            name=f"{self._title}-overload",
            project="acs_ecs_dashboard",
            metric="CPUUtilization",
            metric_dimensions=watched.apply(lambda ids: json.dumps([{"instanceId": one} for one in ids])),
            contact_groups=[group.id],
            period=60,
            silence_time=3600,
            escalations_critical=cms.AlarmEscalationsCriticalArgs(
                comparison_operator=">=",
                statistics="Average",
                threshold=str(_OVERLOAD_PERCENT),
                times=ALARM_MINUTES,
            ),
            opts=pulumi.ResourceOptions(parent=self),
        )


def _data_disk(disk: DataDiskSpec) -> ecs.EcsLaunchTemplateDataDiskArgs:
    return ecs.EcsLaunchTemplateDataDiskArgs(
        category=disk.category, size=disk.size_gib, encrypted=True, delete_with_instance=True
    )


def _check(args: AutoScalingArgs) -> None:
    if args.scaling.max < 1:
        raise UsageError("`max` of the scaling is 0, and nothing would be scaled", "give `max`")
    if args.nodes.head_address is None:
        raise UsageError("scaled nodes join a head, and none is given", "give `head_address`")
    if args.nodes.has_rdma:
        raise UsageError(
            "a launch template gives no RDMA interface to scaled nodes", "scale a group without `rdma`"
        )
    if args.nodes.balancer_kind not in ("classic", "network"):
        raise UsageError(
            f"scaled nodes cannot stand behind a load balancer of kind `{args.nodes.balancer_kind}`",
            "take `classic` or `network`, which attach nodes one by one",
        )
