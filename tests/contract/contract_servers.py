"""Two instances that serve for the whole run, so that tests of load balancers need not boot their own."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_slb20140515.client import Client as SlbClient
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as VpcClient
from contract_fleet import REGION, Fleet
from contract_sdk import sdk_config, wait_for
from own_range import inner

from steelyard.localcloud.daemon import CloudInfo

ZONES = ("cn-hangzhou-h", "cn-hangzhou-i")
HTTP_PORT, UDP_PORT = 8000, 9000
SCRIPT = """#!/usr/bin/env python3
import http.server, os, socket, threading, urllib.request

url = os.environ["STEELYARD_METADATA_URL"] + "/latest/meta-data/private-ipv4"
address = urllib.request.urlopen(url).read().decode()


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_GET(self):
        body = f"{address} {self.path} {self.headers.get('X-Forwarded-Proto', '')}".encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *words):
        pass


bell = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
bell.bind((address, 9000))


def echo():
    while True:
        text, client = bell.recvfrom(65535)
        bell.sendto(address.encode() + b" " + text, client)


threading.Thread(target=echo, daemon=True).start()
http.server.ThreadingHTTPServer((address, 8000), Handler).serve_forever()
"""


@dataclass(frozen=True, kw_only=True)
class Servers:
    """Two instances, one in each of two zones.

    Attributes:
        addresses: Their addresses by their ids; each server answers with its own.
    """

    fleet: Fleet
    vswitch_ids: tuple[str, ...]
    addresses: dict[str, str]

    @property
    def ids(self) -> list[str]:
        return list(self.addresses)


@contextmanager
def standing_servers(cloud: CloudInfo) -> Iterator[Servers]:
    """Boot the servers, and clear everything away afterwards."""
    config = sdk_config(cloud)
    vpcs, machines = VpcClient(config), EcsClient(config)
    vpc_id = vpcs.create_vpc(vpc.CreateVpcRequest(region_id=REGION, cidr_block=inner("0.0/16"))).body.vpc_id
    wait_for(
        lambda: (
            vpcs.describe_vpc_attribute(
                vpc.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=vpc_id)
            ).body.status
        ),
        lambda status: status == "Available",
    )
    vswitch_ids = tuple(
        _make_vswitch(vpcs, vpc_id, inner(f"{100 + number}.0/24"), zone) for number, zone in enumerate(ZONES)
    )
    group_id = machines.create_security_group(
        ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=vpc_id)
    ).body.security_group_id
    fleet = Fleet(
        ecs_client=machines,
        slb_client=SlbClient(config),
        vpc_id=vpc_id,
        vswitch_id=vswitch_ids[0],
        group_id=group_id,
    )
    try:
        made = [fleet.run(SCRIPT, v_switch_id=vswitch_id)[0] for vswitch_id in vswitch_ids]
        addresses = {one: fleet.address(one) for one in made}
        for address in addresses.values():
            wait_for(lambda address=address: _listens(address), bool)
        yield Servers(fleet=fleet, vswitch_ids=vswitch_ids, addresses=addresses)
    finally:
        fleet.clear()
        for vswitch_id in vswitch_ids:
            vpcs.delete_vswitch(vpc.DeleteVSwitchRequest(v_switch_id=vswitch_id))
        vpcs.delete_vpc(vpc.DeleteVpcRequest(vpc_id=vpc_id))


def _listens(address: str) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex((address, HTTP_PORT)) == 0


def _make_vswitch(client: VpcClient, vpc_id: str, cidr: str, zone: str) -> str:
    made = client.create_vswitch(
        vpc.CreateVSwitchRequest(region_id=REGION, vpc_id=vpc_id, cidr_block=cidr, zone_id=zone)
    ).body.v_switch_id
    wait_for(
        lambda: (
            client.describe_vswitch_attributes(
                vpc.DescribeVSwitchAttributesRequest(v_switch_id=made)
            ).body.status
        ),
        lambda status: status == "Available",
    )
    return made
