"""Measure the local cloud beside moto, each through its vendor's own SDK over HTTP, in one run on this machine.

A pair is CreateVpc and then DescribeVpcs by the new id. Three servers stand at once and are called by turns, so that
what else the machine does falls on all of them: a local cloud of 100 VPCs, one of 10,000 (put into its state before
it starts), and moto's server called with boto3. A turn is a hundred pairs: what is measured is a server at work, not
its awakening with cold caches, which is most of a turn of 20 ms. It is not like for like: moto makes a route table,
an ACL and a group as well, and boto3 is the heavier client. Quotas are lifted. Then instances whose boot script is
`sleep` are made and deleted on the loopback host; their memory is the proportional set size (PSS) that the cloud's
processes grow by. The last line on standard output is one JSON object; times and memory of instances are for one
instance.
"""

from __future__ import annotations

import argparse
import base64
import contextlib
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import boto3
import psutil
from alibabacloud_ecs20140526 import models as ecs
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_tea_openapi.utils_models import Config
from alibabacloud_vpc20160428 import models as vpc
from alibabacloud_vpc20160428.client import Client as VpcClient
from botocore.config import Config as BotoConfig

from steelyard.localcloud import daemon
from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.hosts.choice import choose
from steelyard.localcloud.record import Records
from steelyard.localcloud.services.vpc.models import Vpc
from steelyard.localcloud.store import Store
from steelyard.localcloud.terms import agree

REGION = "cn-hangzhou"
PAIRS_A_TURN = 100
BATCH = 100
NUM_CALLERS = 4
DEADLINE_S = 900.0
POLL_S = 0.5
BOOT_SCRIPT = "#!/bin/sh\nexec sleep 1000000\n"

Pair = Callable[[], list[float]]


@contextlib.contextmanager
def local_cloud(num_vpcs: int) -> Iterator[CloudInfo]:
    """Run a local cloud that has some VPCs already."""
    with tempfile.TemporaryDirectory(prefix="steelyard-bench-") as folder:
        data_dir = Path(folder) / "cloud"
        agree(data_dir, calls_per_s=None, has_quotas=False, is_running=False)
        choose(data_dir, name="loopback", has_limits=False, is_running=False)
        fill(data_dir, num_vpcs)
        info = daemon.start(data_dir)
        try:
            yield info
        finally:
            left = daemon.stop(data_dir).left
            assert not left, f"left behind: {left}"


def fill(data_dir: Path, num_vpcs: int) -> None:
    store = Store(data_dir / "state.sqlite")
    records = Records(store, Vpc)
    with store.transaction():
        for number in range(num_vpcs):
            records.put(
                Vpc(
                    id=f"vpc-filled{number:014d}",
                    created_at=time.time() - 3600,
                    region_id=REGION,
                    cidr_block="10.0.0.0/8",
                    name="",
                    description="",
                    router_id=f"vrt-filled{number:014d}",
                    route_table_id=f"vtb-filled{number:014d}",
                    user_cidrs=(),
                    has_dns_hostnames=False,
                    resource_group_id="",
                )
            )
    store.close()


@contextlib.contextmanager
def moto_server() -> Iterator[str]:
    """Run moto's own server."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    command = [sys.executable, "-m", "moto.server", "-H", "127.0.0.1", "-p", str(port)]
    server = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        wait_for(lambda: can_connect(port), f"moto on port {port}")
        yield f"http://127.0.0.1:{port}"
    finally:
        server.terminate()
        server.wait(timeout=30)


def can_connect(port: int) -> bool:
    with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
        return True
    return False


def wait_for(is_done: Callable[[], bool], what: str) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_done():
        if time.monotonic() > deadline:
            raise TimeoutError(f"{what} did not come within {DEADLINE_S:.0f} s")
        time.sleep(POLL_S)


def sdk_config(cloud: CloudInfo) -> Config:
    return Config(
        access_key_id=cloud.access_key_id,
        access_key_secret=cloud.access_key_secret,
        endpoint=cloud.endpoint,
        protocol="http",
        region_id=cloud.region_id,
    )


def cloud_pair(cloud: CloudInfo) -> Pair:
    """Give what makes one pair on a local cloud, and the seconds of its two calls."""
    client = VpcClient(sdk_config(cloud))

    def run() -> list[float]:
        began = time.perf_counter()
        request = vpc.CreateVpcRequest(region_id=REGION, cidr_block="10.0.0.0/8")
        vpc_id = client.create_vpc(request).body.vpc_id
        made = time.perf_counter()
        found = client.describe_vpcs(vpc.DescribeVpcsRequest(region_id=REGION, vpc_id=vpc_id)).body
        assert [one.vpc_id for one in found.vpcs.vpc] == [vpc_id]
        return [made - began, time.perf_counter() - made]

    return run


def moto_pair(endpoint: str) -> Pair:
    """Give what makes one pair on moto."""
    client = boto3.client(
        "ec2",
        endpoint_url=endpoint,
        region_name="us-east-1",
        aws_access_key_id="key",
        aws_secret_access_key="secret",
        config=BotoConfig(retries={"total_max_attempts": 1}),
    )

    def run() -> list[float]:
        began = time.perf_counter()
        vpc_id = client.create_vpc(CidrBlock="10.0.0.0/16")["Vpc"]["VpcId"]
        made = time.perf_counter()
        found = client.describe_vpcs(VpcIds=[vpc_id])["Vpcs"]
        assert [one["VpcId"] for one in found] == [vpc_id]
        return [made - began, time.perf_counter() - made]

    return run


def measure_pairs(pairs: dict[str, Pair], num_pairs: int) -> dict[str, list[float]]:
    """Make pairs on each server by turns; give the seconds of all calls by server."""
    seconds: dict[str, list[float]] = {name: [] for name in pairs}
    for pair in pairs.values():
        for _ in range(20):
            pair()
    for begun in range(0, num_pairs, PAIRS_A_TURN):
        for name, pair in pairs.items():
            for _ in range(min(PAIRS_A_TURN, num_pairs - begun)):
                seconds[name] += pair()
    return seconds


def per_s(calls: list[float]) -> float:
    return len(calls) / 2 / sum(calls)


def percentile_ms(calls: list[float], part: float) -> float:
    return sorted(calls)[min(len(calls) - 1, int(len(calls) * part))] * 1e3


def tree_pss_bytes(pid: int) -> int:
    """Sum the proportional set size of a process and all below it."""
    root = psutil.Process(pid)
    total = 0
    for process in (root, *root.children(recursive=True)):
        with contextlib.suppress(OSError):
            text = Path(f"/proc/{process.pid}/smaps_rollup").read_text()
            total += 1024 * sum(int(line.split()[1]) for line in text.splitlines() if line.startswith("Pss:"))
    return total


class Fleet:
    """Instances of one local cloud.

    Args:
        cloud: The cloud.
    """

    def __init__(self, cloud: CloudInfo) -> None:
        self.cloud = cloud
        self.client = EcsClient(sdk_config(cloud))
        network = VpcClient(sdk_config(cloud))
        block = f"10.{64 + os.getpid() % 128}.0.0/16"
        vpc_id = network.create_vpc(
            vpc.CreateVpcRequest(region_id=REGION, cidr_block="10.0.0.0/8")
        ).body.vpc_id
        attribute = vpc.DescribeVpcAttributeRequest(region_id=REGION, vpc_id=vpc_id)
        wait_for(lambda: network.describe_vpc_attribute(attribute).body.status == "Available", "the VPC")
        self.vswitch_id = network.create_vswitch(
            vpc.CreateVSwitchRequest(region_id=REGION, vpc_id=vpc_id, cidr_block=block, zone_id=f"{REGION}-h")
        ).body.v_switch_id
        switch = vpc.DescribeVSwitchAttributesRequest(region_id=REGION, v_switch_id=self.vswitch_id)
        wait_for(
            lambda: network.describe_vswitch_attributes(switch).body.status == "Available", "the VSwitch"
        )
        self.group_id = self.client.create_security_group(
            ecs.CreateSecurityGroupRequest(region_id=REGION, vpc_id=vpc_id)
        ).body.security_group_id

    def count(self, status: str | None = None) -> int:
        request = ecs.DescribeInstancesRequest(
            region_id=REGION, v_switch_id=self.vswitch_id, status=status, page_size=1, page_number=1
        )
        return self.client.describe_instances(request).body.total_count

    def make(self, number: int) -> list[str]:
        made: list[str] = []
        while len(made) < number:
            answer = self.client.run_instances(
                ecs.RunInstancesRequest(
                    region_id=REGION,
                    image_id="ubuntu_24_04_x64_20G_alibase_20260615.vhd",
                    instance_type="ecs.g7.large",
                    v_switch_id=self.vswitch_id,
                    security_group_id=self.group_id,
                    amount=min(BATCH, number - len(made)),
                    user_data=base64.b64encode(BOOT_SCRIPT.encode()).decode(),
                )
            )
            made += answer.body.instance_id_sets.instance_id_set
        wait_for(lambda: self.count("Running") == number, f"{number} running instances")
        return made

    def delete(self, ids: list[str]) -> None:
        def delete_one(instance_id: str) -> None:
            self.client.delete_instance(ecs.DeleteInstanceRequest(instance_id=instance_id, force=True))

        with ThreadPoolExecutor(max_workers=NUM_CALLERS) as pool:
            list(pool.map(delete_one, ids))
        wait_for(lambda: self.count() == 0, "the end of all instances")


def measure_instances(cloud: CloudInfo, number: int) -> dict[str, float]:
    """Make and delete instances; give seconds and MiB of each."""
    fleet = Fleet(cloud)
    before = tree_pss_bytes(cloud.pid)
    began = time.perf_counter()
    ids = fleet.make(number)
    made = time.perf_counter()
    grown = tree_pss_bytes(cloud.pid) - before
    began_deleting = time.perf_counter()
    fleet.delete(ids)
    return {
        "instance_create_s": round((made - began) / number, 4),
        "instance_delete_s": round((time.perf_counter() - began_deleting) / number, 4),
        "instance_mib": round(grown / number / 2**20, 2),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    parser.add_argument("--pairs", type=int, default=1000, help="pairs on each server")
    parser.add_argument("--resources", type=int, default=10_000, help="VPCs of the full cloud")
    parser.add_argument("--instances", type=int, default=1000, help="instances to make and delete")
    wanted = parser.parse_args()
    with local_cloud(100) as small, local_cloud(wanted.resources) as full, moto_server() as moto:
        calls = measure_pairs(
            {"small": cloud_pair(small), "moto": moto_pair(moto), "full": cloud_pair(full)}, wanted.pairs
        )
    pairs = {name: per_s(seconds) for name, seconds in calls.items()}
    for name, label in (
        ("small", "local cloud, 100 VPCs"),
        ("full", f"{wanted.resources} VPCs"),
        ("moto", "moto"),
    ):
        p50, p99 = (percentile_ms(calls[name], part) for part in (0.5, 0.99))
        print(f"{label:>22}: {pairs[name]:7.1f} pairs/s, a call {p50:6.2f} ms, 99th percentile {p99:6.2f} ms")
    print(f"{'ratio':>22}: {pairs['small'] / pairs['moto']:.1f} x moto")
    print(f"{'load of the machine':>22}: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
    with local_cloud(0) as cloud:
        instances = measure_instances(cloud, wanted.instances)
    print(
        f"{wanted.instances:>12} instances: made in {instances['instance_create_s'] * 1e3:.1f} ms each, deleted in "
        f"{instances['instance_delete_s'] * 1e3:.1f} ms each, {instances['instance_mib']:.2f} MiB each"
    )
    figures = {
        "pairs_per_s": round(pairs["small"], 1),
        "moto_pairs_per_s": round(pairs["moto"], 1),
        "p99_ms": round(percentile_ms(calls["small"], 0.99), 2),
        "pairs_per_s_at_10000": round(pairs["full"], 1),
        **instances,
    }
    print(json.dumps(figures))


if __name__ == "__main__":
    main()
