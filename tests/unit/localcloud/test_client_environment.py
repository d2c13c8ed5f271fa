from __future__ import annotations

from pathlib import Path

from steelyard.localcloud.client_environment import client_environment
from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.services import SERVICES


def environment_of(data_dir: Path) -> dict[str, str]:
    info = CloudInfo(
        endpoint="127.0.0.1:4566",
        access_key_id="id",
        access_key_secret="secret",
        region_id="cn-hangzhou",
        account_id="1" * 16,
        pid=1,
        data_dir=str(data_dir),
        started_at=0.0,
    )
    return dict(client_environment(info, no_proxy="corp.test"))


def test_every_product_that_is_served_is_found_by_its_endpoint(tmp_path: Path) -> None:
    found = environment_of(tmp_path)
    for service in SERVICES:
        assert found[f"ALIBABA_CLOUD_ENDPOINT_{service.code.upper()}"] == "127.0.0.1:4566", service.code


def test_clients_of_each_language_trust_the_same_roots(tmp_path: Path) -> None:
    found = environment_of(tmp_path)
    roots = {found[name] for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS")}
    assert len(roots) == 1


def test_hosts_that_are_called_without_a_proxy_stay_so(tmp_path: Path) -> None:
    assert environment_of(tmp_path)["NO_PROXY"] == "corp.test,127.0.0.0/8,localhost"
