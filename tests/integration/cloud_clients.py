"""The vendor's clients, pointed at a local cloud."""

from __future__ import annotations

import alibabacloud_oss_v2 as oss
from alibabacloud_tea_openapi.utils_models import Config
from alibabacloud_vpc20160428.client import Client as VpcClient

from steelyard.localcloud.daemon import CloudInfo


def network_client(cloud: CloudInfo) -> VpcClient:
    """Make the client of VPC."""
    return VpcClient(
        Config(
            access_key_id=cloud.access_key_id,
            access_key_secret=cloud.access_key_secret,
            endpoint=cloud.endpoint,
            protocol="http",
            region_id=cloud.region_id,
        )
    )


def object_client(cloud: CloudInfo, endpoint: str = "") -> oss.Client:
    """Make the client of OSS, which tries once alone."""
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.StaticCredentialsProvider(
        cloud.access_key_id, cloud.access_key_secret
    )
    config.region = cloud.region_id
    config.endpoint = endpoint or f"http://{cloud.endpoint}"
    config.retry_max_attempts = 1
    return oss.Client(config)
