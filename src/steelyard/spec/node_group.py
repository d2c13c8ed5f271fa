"""Settings of the nodes."""

from __future__ import annotations

from typing import Annotated

from steelyard.spec import rule
from steelyard.spec.part import Part
from steelyard.spec.rule import Flag, Number, Text, WholeNumber
from steelyard.spec.scaling import ScalingSpec

DiskCategory = Annotated[
    Text, rule.one_of("cloud_essd", "cloud_auto", "cloud_essd_entry", "cloud_ssd", "cloud_efficiency")
]


class DiskSpec(Part):
    """A node's system disk, always encrypted.

    Attributes:
        category: The API's disk category.
        size_gib: Size in GiB.
    """

    category: DiskCategory = "cloud_essd"
    size_gib: Annotated[WholeNumber, rule.within(20, 2048, " GiB")] = 100


class DataDiskSpec(Part):
    """A further disk of a node, always encrypted; it goes with the node.

    Attributes:
        category: The API's disk category.
        size_gib: Size in GiB.
    """

    category: DiskCategory = "cloud_essd"
    size_gib: Annotated[WholeNumber, rule.within(20, 32768, " GiB")] = 500


class SpotSpec(Part):
    """Whether nodes are spot instances, which cost less and may be taken back at five minutes' notice.

    Attributes:
        enabled: Whether they are.
        max_price: What one may cost by the hour, in the account's currency; as much as an instance that is no spot
            instance where it is not given.
        interruption: What becomes of a node that is taken back: `terminate` releases it, `stop` keeps its disks.
    """

    enabled: Flag = False
    max_price: Annotated[Number, rule.above(0)] | None = None
    interruption: Annotated[Text, rule.one_of("terminate", "stop")] = "terminate"


class NodeGroupSpec(Part):
    """Nodes that are alike.

    Attributes:
        name: Part of its nodes' names: `<cluster>-<group>-<i>`.
        count: Number of nodes, spread over the zones in turn.
        instance_type: ECS instance type.
        image: Image id, or a family such as `ubuntu_24_04`, of which the newest system image is taken.
        head: Whether its one node is a head of its own: it holds the job queue and has no workers of jobs. Otherwise
            the first node of the first group is the head, and works as well.
        disk: The system disk.
        data_disks: Further disks of each node.
        spot: Whether the nodes are spot instances.
        placement: Where its nodes lie to each other: `availability` on servers apart, up to 20 in a zone;
            `low_latency` near each other, all in the first zone and up to 20; `none` for no such care.
        scaling: Nodes of its kind that come and go beside the fixed ones.
        rdma: Whether each node has an elastic RDMA interface, for which its family has to be one that can.
        weight: Share of the load balancer's requests, 0 to 100; 0 for none.
    """

    name: Annotated[Text, rule.name_of(20, "workers")]
    count: Annotated[WholeNumber, rule.at_least(1)] = 2
    instance_type: Text = "ecs.gn7i-c8g1.2xlarge"
    image: Annotated[
        Text,
        rule.matching(r"[A-Za-z0-9][A-Za-z0-9_.-]{1,127}", "an image's id or family", "ubuntu_24_04"),
    ] = "ubuntu_24_04"
    head: Flag = False
    disk: DiskSpec = DiskSpec()
    data_disks: tuple[DataDiskSpec, ...] = ()
    spot: SpotSpec = SpotSpec()
    placement: Annotated[Text, rule.one_of("none", "availability", "low_latency")] = "none"
    rdma: Flag = False
    scaling: ScalingSpec = ScalingSpec()
    weight: Annotated[WholeNumber, rule.within(0, 100)] = 100


class NodeRoleSpec(Part):
    """The RAM role of the nodes, whose few rights `docs/node-role.md` explains.

    Attributes:
        enabled: Whether there is one.
    """

    enabled: Flag = True


class NodePackageSpec(Part):
    """Where a fresh node takes Steelyard from; a node that has it installs nothing.

    Attributes:
        version: Version to install; the one that deploys where it is not given.
        index_url: Package index; pip's own where it is not given.
    """

    version: Annotated[Text, rule.matching(r"[0-9][0-9A-Za-z.+!-]*", "a version", "0.1.0")] | None = None
    index_url: (
        Annotated[Text, rule.matching(r"https?://[^\s'\"\\]+", "a URL", "https://pypi.example.com/simple/")]
        | None
    ) = None
