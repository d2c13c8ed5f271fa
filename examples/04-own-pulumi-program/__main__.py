"""A VPC, a security group, a load balancer and nodes behind it: the network by a component, the rest by hand."""

import pulumi
import pulumi_alicloud as alicloud
from boot import BOOT_SCRIPT, PORT

from steelyard.components import Network, NetworkArgs

LOAD_BALANCER_RANGE = "100.64.0.0/10"  # where a classic load balancer's requests and checks come from

num_nodes = pulumi.Config().require_int("nodes")
zones = alicloud.get_zones(available_resource_creation="VSwitch").ids[:2]
image = alicloud.ecs.get_images(owners="system", name_regex="^ubuntu_24_04_x64", most_recent=True)

network = Network(
    "ai",
    NetworkArgs(
        cluster="own", cidr="10.20.0.0/16", zones=zones, vswitch_cidrs=["10.20.0.0/20", "10.20.16.0/20"]
    ),
)

group = alicloud.ecs.SecurityGroup("ai-group", security_group_name="own-nodes", vpc_id=network.vpc_id)
rule = alicloud.ecs.SecurityGroupRule(
    "ai-requests",
    security_group_id=group.id,
    type="ingress",
    ip_protocol="tcp",
    port_range=f"{PORT}/{PORT}",
    nic_type="intranet",
    cidr_ip=LOAD_BALANCER_RANGE,
)

balancer = alicloud.slb.ApplicationLoadBalancer(
    "ai-balancer",
    load_balancer_name="own-lb",
    address_type="intranet",
    vswitch_id=network.vswitch_ids[0],
    instance_charge_type="PayByCLCU",
    master_zone_id=zones[0],
    slave_zone_id=zones[1],
)
servers = alicloud.slb.ServerGroup("ai-servers", name="own-nodes", load_balancer_id=balancer.id)
alicloud.slb.Listener(
    "ai-listener",
    load_balancer_id=balancer.id,
    server_group_id=servers.id,
    frontend_port=80,
    protocol="http",
    bandwidth=-1,
    sticky_session="off",
    health_check="on",
    health_check_uri="/",
    health_check_interval=1,
)

nodes = []
for i in range(num_nodes):
    node = alicloud.ecs.Instance(
        f"ai-node-{i}",
        instance_name=f"own-node-{i}",
        host_name=f"own-node-{i}",
        instance_type="ecs.gn7i-c8g1.2xlarge",
        image_id=image.ids[0],
        vswitch_id=network.vswitch_ids[i % 2],
        security_groups=[group.id],
        system_disk_category="cloud_essd",
        http_tokens="required",
        user_data=BOOT_SCRIPT,
        opts=pulumi.ResourceOptions(depends_on=[rule]),
    )
    # `status` is no condition to wait for: a node's creation ends when it runs.
    alicloud.slb.ServerGroupServerAttachment(
        f"ai-server-{i}", server_group_id=servers.id, server_id=node.id, port=PORT, weight=100
    )
    nodes.append(node)

pulumi.export("vpc_id", network.vpc_id)
pulumi.export("vswitch_ids", network.vswitch_ids)
pulumi.export("security_group_id", group.id)
pulumi.export("slb_id", balancer.id)
pulumi.export("node_ids", [node.id for node in nodes])
pulumi.export("url", pulumi.Output.concat("http://", balancer.address, ":80/"))
