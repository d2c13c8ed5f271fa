"""TLS and plain HTTP on one port, answers as XML, and what is said of actions that are not served."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
import stat
import subprocess
import sys
import time
import uuid
from pathlib import Path
from urllib.parse import urlencode
from xml.etree import ElementTree

import pytest
from alibabacloud_ecs20140526 import models as ecs_models
from alibabacloud_ecs20140526.client import Client as EcsClient
from alibabacloud_sts20150401.client import Client as StsClient
from alibabacloud_tea_openapi.utils import Utils
from alibabacloud_vpc20160428 import models as vpc_models
from alibabacloud_vpc20160428.client import Client as VpcClient
from contract_sdk import refused, sdk_config

from steelyard.localcloud.certificate import CertificateFiles
from steelyard.localcloud.client_environment import client_environment
from steelyard.localcloud.unserved import read_unserved

REGION = "cn-hangzhou"
CALLER = """
import os
from alibabacloud_tea_openapi.utils_models import Config
from alibabacloud_sts20150401.client import Client
environment = os.environ
client = Client(Config(
    access_key_id=environment["ALIBABA_CLOUD_ACCESS_KEY_ID"],
    access_key_secret=environment["ALIBABA_CLOUD_ACCESS_KEY_SECRET"],
    endpoint=environment["ALIBABA_CLOUD_ENDPOINT_STS"],
    region_id=environment["ALIBABA_CLOUD_REGION_ID"],
))
print(client.get_caller_identity().body.account_id)
"""


@pytest.fixture
def files(local_cloud) -> CertificateFiles:
    return CertificateFiles.of(Path(local_cloud.data_dir))


@pytest.fixture
def tls_config(local_cloud, files):
    return sdk_config(local_cloud, protocol="https", ca=str(files.authority))


def call_for_xml(cloud, action: str, **parameters: str) -> tuple[int, ElementTree.Element]:
    """Call as a client would that wants XML; the vendor's Python clients all insist on JSON."""
    query = {
        "Action": action,
        "Version": "2016-04-28",
        "Format": "XML",
        "AccessKeyId": cloud.access_key_id,
        "SignatureMethod": "HMAC-SHA1",
        "SignatureVersion": "1.0",
        "SignatureNonce": str(uuid.uuid4()),
        "Timestamp": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        **parameters,
    }
    query["Signature"] = Utils.get_rpcsignature(query, "POST", cloud.access_key_secret)
    connection = http.client.HTTPConnection(cloud.endpoint, timeout=30)
    try:
        connection.request("POST", "/?" + urlencode(query))
        answer = connection.getresponse()
        assert answer.getheader("content-type") == "text/xml;charset=utf-8"
        return answer.status, ElementTree.fromstring(answer.read())
    finally:
        connection.close()


class TestTls:
    def test_serves_every_product_to_a_client_that_trusts_the_clouds_authority(self, local_cloud, tls_config):
        vpcs = VpcClient(tls_config).describe_vpcs(
            vpc_models.DescribeVpcsRequest(region_id=REGION, vpc_id="none")
        )
        zones = EcsClient(tls_config).describe_zones(ecs_models.DescribeZonesRequest(region_id=REGION))
        caller = StsClient(tls_config).get_caller_identity()
        assert vpcs.body.total_count == 0
        assert zones.body.zones.zone
        assert caller.body.account_id == local_cloud.account_id

    def test_and_plain_http_see_the_same_cloud(self, local_cloud, tls_config, make_vpc, vpc_client):
        vpc_id = make_vpc()
        wanted = vpc_models.DescribeVpcsRequest(region_id=REGION, vpc_id=vpc_id)
        over_tls = VpcClient(tls_config).describe_vpcs(wanted)
        over_http = vpc_client.describe_vpcs(wanted)
        assert [vpc.vpc_id for vpc in over_tls.body.vpcs.vpc] == [vpc_id]
        assert [vpc.vpc_id for vpc in over_http.body.vpcs.vpc] == [vpc_id]

    def test_carries_the_clouds_own_errors(self, tls_config):
        with refused("InvalidVpcId.NotFound", 404):
            VpcClient(tls_config).delete_vpc(vpc_models.DeleteVpcRequest(vpc_id="vpc-none"))

    def test_is_refused_by_a_client_that_does_not_trust_it(self, local_cloud):
        # Not by the SDK, which would take up a kept connection of a client that does.
        connection = http.client.HTTPSConnection(local_cloud.endpoint, timeout=30)
        with pytest.raises(ssl.SSLCertVerificationError):
            connection.request("POST", "/")
        connection.close()

    def test_is_good_for_the_name_localhost_as_well(self, local_cloud, files):
        context = ssl.create_default_context(cafile=str(files.authority))
        port = int(local_cloud.endpoint.rpartition(":")[2])
        with (
            socket.create_connection(("127.0.0.1", port), timeout=30) as plain,
            context.wrap_socket(plain, server_hostname="localhost") as connection,
        ):
            assert connection.version() == "TLSv1.3"

    def test_keeps_its_keys_to_the_owner(self, files):
        for path in (files.authority_key, files.server):
            assert stat.S_IMODE(path.stat().st_mode) == 0o600

    def test_is_found_by_the_vendors_sdk_through_the_clouds_environment(self, local_cloud):
        environment = {"PATH": os.environ["PATH"], **client_environment(local_cloud)}
        done = subprocess.run(
            [sys.executable, "-c", CALLER], env=environment, capture_output=True, text=True, timeout=60
        )
        assert done.stdout.strip() == local_cloud.account_id, done.stderr

    def test_leaves_a_client_alone_that_says_nothing_and_serves_the_others(self, local_cloud, vpc_client):
        host, port = local_cloud.endpoint.split(":")
        with (
            socket.create_connection((host, int(port))),
            socket.create_connection((host, int(port))) as other,
        ):
            other.sendall(b"\x16nonsense, not a handshake")
            answer = vpc_client.describe_vpcs(vpc_models.DescribeVpcsRequest(region_id=REGION, vpc_id="none"))
        assert answer.body.total_count == 0


class TestXml:
    def test_answers_a_call_that_asks_for_it(self, local_cloud, make_vpc):
        vpc_id = make_vpc(vpc_name="a <b> & c")
        status, root = call_for_xml(local_cloud, "DescribeVpcs", RegionId=REGION, VpcId=vpc_id)
        assert (status, root.tag) == (200, "DescribeVpcsResponse")
        assert root.findtext("Vpcs/Vpc/VpcName") == "a <b> & c"
        assert root.findtext("Vpcs/Vpc/IsDefault") == "false"
        assert root.findtext("TotalCount") == "1"

    def test_repeats_the_element_of_a_list(self, local_cloud, make_vpc, make_vswitch):
        vpc_id = make_vpc("10.9.0.0/16")
        made = [make_vswitch(vpc_id, f"10.9.{number}.0/24") for number in (1, 2)]
        _, root = call_for_xml(local_cloud, "DescribeVpcs", RegionId=REGION, VpcId=vpc_id)
        assert sorted(item.text for item in root.iterfind("Vpcs/Vpc/VSwitchIds/VSwitchId")) == sorted(made)

    def test_carries_errors(self, local_cloud):
        status, root = call_for_xml(local_cloud, "DeleteVpc", RegionId=REGION, VpcId="vpc-none")
        assert (status, root.tag) == (404, "Error")
        assert root.findtext("Code") == "InvalidVpcId.NotFound"


class TestUnservedAction:
    def test_is_named_and_counted(self, local_cloud, vpc_client):
        def num_calls() -> int:
            entries = read_unserved(local_cloud.endpoint)
            return sum(entry.num_calls for entry in entries if entry.action == "CreateFlowLog")

        before = num_calls()
        request = vpc_models.CreateFlowLogRequest(
            region_id=REGION,
            log_store_name="a",
            project_name="b",
            resource_id="c",
            resource_type="VPC",
            traffic_type="All",
        )
        with refused("InvalidAction.NotFound", 404, text="does not serve this action of vpc"):
            vpc_client.create_flow_log(request)
        assert num_calls() == before + 1

    def test_list_is_open_to_whoever_asks_on_this_machine(self, local_cloud):
        connection = http.client.HTTPConnection(local_cloud.endpoint, timeout=30)
        connection.request("GET", "/steelyard/unserved-actions")
        assert connection.getresponse().status == 200
        connection.close()


def test_a_call_that_names_no_format_gets_the_documented_default(local_cloud):
    status, root = call_for_xml(local_cloud, "DescribeVpcs", Format="", RegionId=REGION, VpcId="none")
    assert (status, root.tag, root.findtext("TotalCount")) == (200, "DescribeVpcsResponse", "0")
    with pytest.raises(AssertionError, match="application/json"):
        call_for_xml(local_cloud, "DescribeVpcs", Format="JSON", RegionId=REGION, VpcId="none")
