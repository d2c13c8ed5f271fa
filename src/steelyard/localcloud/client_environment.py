"""The environment variables by which the usual clients of Alibaba Cloud find a local cloud and trust it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from steelyard import settings
from steelyard.localcloud.certificate import CertificateFiles
from steelyard.localcloud.cloud_info import CloudInfo

# What the Terraform provider, and Pulumi's which is made from it, ask an endpoint for (`connectivity/endpoint.go`).
_PRODUCTS = (
    "alb",
    "bssopenapi",
    "cas",
    "cms",
    "ecs",
    "ess",
    "location",
    "nas",
    "nas",
    "nlb",
    "oss",
    "ram",
    "slb",
    "sts",
    "tag",
    "vpc",
)


def client_environment(info: CloudInfo, *, no_proxy: str = "") -> Mapping[str, str]:
    """Give the variables of a running cloud.

    - SDKs take the key from `ALIBABA_CLOUD_ACCESS_KEY_*`; their endpoint is an argument, which
      `ALIBABA_CLOUD_ENDPOINT_<product>` holds.
    - The aliyun CLI takes the key, the region and `ALIBABA_CLOUD_ENDPOINT`.
    - Terraform's and Pulumi's providers take the key, the region, the account and one endpoint for each product. The
      endpoint of STS is taken from the provider's settings alone (`endpoints { sts = … }`), which they only need
      where a program asks for the caller; with `ALICLOUD_ACCOUNT_ID` most do not.
    - OSS's SDKs and ossutil take key, region and endpoint from `OSS_*`; where the endpoint is an IP address, the bucket
      goes into the path. Steelyard's own checkpoints take theirs from `STEELYARD_OSS_ENDPOINT`.
    - Every other one of them calls over TLS and trusts the roots in `SSL_CERT_FILE`, the machine's own and the cloud's;
      the clients for JavaScript trust those in `NODE_EXTRA_CA_CERTS` beside their own.

    Args:
        info: The running cloud.
        no_proxy: Hosts that are called without a proxy already, as `NO_PROXY` lists them.
    """
    hosts = [*no_proxy.split(","), "127.0.0.0/8", "localhost"]
    direct = ",".join(dict.fromkeys(host.strip() for host in hosts if host.strip()))
    bundle = str(CertificateFiles.of(Path(info.data_dir)).bundle)
    return {
        "ALIBABA_CLOUD_ACCESS_KEY_ID": info.access_key_id,
        "ALIBABA_CLOUD_ACCESS_KEY_SECRET": info.access_key_secret,
        "ALICLOUD_ACCESS_KEY": info.access_key_id,
        "ALICLOUD_SECRET_KEY": info.access_key_secret,
        "ALIBABA_CLOUD_REGION_ID": info.region_id,
        "ALICLOUD_REGION": info.region_id,
        "ALICLOUD_ACCOUNT_ID": info.account_id,
        "ALIBABA_CLOUD_ACCOUNT_TYPE": "Domestic",
        "ALIBABA_CLOUD_ENDPOINT": info.endpoint,
        **{f"ALIBABA_CLOUD_ENDPOINT_{product.upper()}": info.endpoint for product in _PRODUCTS},
        "OSS_ACCESS_KEY_ID": info.access_key_id,
        "OSS_ACCESS_KEY_SECRET": info.access_key_secret,
        "OSS_REGION": info.region_id,
        "OSS_ENDPOINT": f"http://{info.endpoint}",
        settings.OSS_ENDPOINT: f"http://{info.endpoint}",
        "SSL_CERT_FILE": bundle,
        "REQUESTS_CA_BUNDLE": bundle,
        "NODE_EXTRA_CA_CERTS": bundle,
        "NO_PROXY": direct,
        "no_proxy": direct,
    }
