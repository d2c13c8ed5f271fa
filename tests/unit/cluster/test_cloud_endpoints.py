from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.cluster import cloud_deployment
from steelyard.cluster.cloud_deployment import CloudAccess, CloudDeployment
from steelyard.deploy.provider.connection import Connection

KEY = {"ALICLOUD_ACCESS_KEY": "id", "ALICLOUD_SECRET_KEY": "secret"}


@pytest.mark.parametrize(
    ("code", "variables", "endpoint"),
    [
        ("ecs", {}, "ecs.eu-central-1.aliyuncs.com"),
        ("alb", {}, "alb.eu-central-1.aliyuncs.com"),
        ("ess", {}, "ess.eu-central-1.aliyuncs.com"),
        ("ram", {}, "ram.aliyuncs.com"),
        ("oss", {}, "oss-eu-central-1.aliyuncs.com"),
        ("oss", {"OSS_ENDPOINT": "http://127.0.0.1:9000"}, "http://127.0.0.1:9000"),
        ("alb", {"ALIBABA_CLOUD_ENDPOINT_ALB": "127.0.0.1:9000"}, "127.0.0.1:9000"),
    ],
)
def test_what_is_asked_of_the_cloud_goes_to_the_product_that_answers_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, code: str, variables: dict[str, str], endpoint: str
) -> None:
    seen: list[Connection] = []

    class Pool(cloud_deployment.ApiPool):
        def __init__(self, connection: Connection) -> None:
            seen.append(connection)
            super().__init__(connection)

    monkeypatch.setattr(cloud_deployment, "ApiPool", Pool)
    access = CloudAccess(environment={**KEY, **variables})
    CloudDeployment(access, tmp_path, project="p", name="s", region_id="eu-central-1").api()
    assert seen[0].endpoints[code] == endpoint
