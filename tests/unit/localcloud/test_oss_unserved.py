"""What OSS can do and the local cloud does not is refused by name: it is never taken for something else."""

from __future__ import annotations

import importlib.util
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from clocked_cloud import Clock, standing_cloud

from steelyard.localcloud.services.oss.actions import OssService, operation_names
from steelyard.localcloud.services.oss.errors import StorageError
from steelyard.localcloud.services.oss.request import StorageRequest


def unserved_operations() -> Iterator[tuple[str, str, frozenset[str]]]:
    """Give name, method and parameters of what the vendor's package calls and the cloud does not serve."""
    spec = importlib.util.find_spec("alibabacloud_oss_v2")
    assert spec is not None
    assert spec.origin is not None
    for path in sorted((Path(spec.origin).parent / "operations").glob("*.py")):
        for text in path.read_text(encoding="utf-8").split("OperationInput(")[1:]:
            head = re.search(r"op_name='(\w+)',\s*method='(\w+)'", text)
            assert head is not None
            parameters = re.search(r"parameters=\{(.*?)\}", text.partition("serde.")[0], re.DOTALL)
            names = re.findall(r"'([\w-]+)'\s*:", parameters[1]) if parameters else []
            if head[1] not in operation_names():
                yield head[1], head[2], frozenset(names)


@pytest.fixture
def service(tmp_path: Path) -> Iterator[OssService]:
    with standing_cloud(tmp_path, Clock(), OssService) as cloud:
        service = cloud.services["oss"]
        assert isinstance(service, OssService)
        yield service


def call(
    service: OssService, method: str, names: frozenset[str], place: str, **headers: str
) -> StorageRequest:
    bucket, _, key = place.partition("/")
    return StorageRequest(
        method=method,
        bucket=bucket,
        key=key,
        query=dict.fromkeys(names, ""),
        headers=headers,
        request_id="r",
        caller=service.cloud.identity.root_key(),
    )


@pytest.mark.parametrize("place", ["", "shelf", "shelf/key"])
def test_no_operation_is_taken_for_another(service: OssService, place: str) -> None:
    found = list(unserved_operations())
    assert {"PutObjectLegalHold", "CleanRestoredObject", "InitiateBucketWorm"} <= {
        name for name, _, _ in found
    }
    for name, method, names in found:
        if not names or (place != "shelf/key" and names == {"publicAccessBlock"}):
            continue  # The caller's own parameter tells it from others, or the place does: the next test.
        with pytest.raises(StorageError) as caught:
            service.find(call(service, method, names, place))
        assert (caught.value.code, caught.value.status) == ("NotImplemented", 501), name


@pytest.mark.parametrize(
    ("method", "query", "headers"),
    [
        ("GET", "x-oss-process", {}),
        ("POST", "x-oss-process", {}),
        ("POST", "cleanRestoredObject", {}),
        ("PUT", "callback", {}),
        ("POST", "wormId", {}),
        ("GET", "x-oss-access-point-name", {}),
        ("PUT", "", {"x-oss-callback": "e30="}),
    ],
)
def test_what_a_parameter_or_a_header_asks_for_is_refused_too(
    service: OssService, method: str, query: str, headers: dict[str, str]
) -> None:
    with pytest.raises(StorageError) as caught:
        service.find(call(service, method, frozenset({query} - {""}), "shelf/key", **headers))
    assert caught.value.code == "NotImplemented"
    assert (query or "x-oss-callback") in caught.value.message
    assert [entry.action for entry in service.cloud.unserved.list()]
