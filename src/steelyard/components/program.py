from __future__ import annotations

import pulumi

from steelyard.components.training_cluster import TrainingCluster, TrainingClusterArgs
from steelyard.spec import ClusterSpec


def declare(spec: ClusterSpec, token: pulumi.Input[str]) -> TrainingCluster:
    """Declare a cluster and its exports: the one program, whichever engine runs it.

    Args:
        spec: What is wanted.
        token: The gateways' bearer token; kept as a secret.
    """
    cluster = TrainingCluster(spec.name, TrainingClusterArgs(spec=spec, token=token))
    pulumi.export("vpc_id", cluster.network.vpc_id)
    pulumi.export("vswitch_ids", cluster.network.vswitch_ids)
    if cluster.network.egress is not None:
        pulumi.export("egress_address", cluster.network.egress.address)
    pulumi.export("security_group_id", cluster.firewall.security_group_id)
    pulumi.export("slb_id", cluster.load_balancer.load_balancer_id)
    pulumi.export("load_balancer_address", cluster.load_balancer.address)
    pulumi.export("gateway_url", cluster.gateway_url)
    pulumi.export("server_group_id", cluster.load_balancer.server_group_id)
    pulumi.export("node_ids", cluster.node_ids)
    pulumi.export("node_private_ips", cluster.node_private_ips)
    if cluster.checkpoint_store is not None:
        pulumi.export("checkpoint_url", cluster.checkpoint_store.url)
    pulumi.export("gateway_token", cluster.token)
    return cluster
