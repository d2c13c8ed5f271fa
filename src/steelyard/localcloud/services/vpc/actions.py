from __future__ import annotations

from steelyard.localcloud.services.vpc.cidr_block_actions import CidrBlockActions
from steelyard.localcloud.services.vpc.eip_actions import EipActions
from steelyard.localcloud.services.vpc.forward_actions import ForwardActions
from steelyard.localcloud.services.vpc.nat_gateway_actions import NatGatewayActions
from steelyard.localcloud.services.vpc.place_actions import PlaceActions
from steelyard.localcloud.services.vpc.route_entry_actions import RouteEntryActions
from steelyard.localcloud.services.vpc.route_table_actions import RouteTableActions
from steelyard.localcloud.services.vpc.snat_actions import SnatActions
from steelyard.localcloud.services.vpc.tag_actions import TagActions
from steelyard.localcloud.services.vpc.vpc_actions import VpcActions
from steelyard.localcloud.services.vpc.vswitch_actions import VSwitchActions


class VpcService(
    VpcActions,
    VSwitchActions,
    CidrBlockActions,
    RouteTableActions,
    RouteEntryActions,
    NatGatewayActions,
    EipActions,
    SnatActions,
    ForwardActions,
    TagActions,
    PlaceActions,
):
    """VPCs, VSwitches, their route tables, what leads out of them, and tags."""
