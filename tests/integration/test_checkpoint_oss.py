"""Checkpoints in a bucket of the local cloud, through the vendor's client."""

from __future__ import annotations

import json
import os
import uuid
from collections.abc import Iterator
from pathlib import Path

import alibabacloud_oss_v2 as oss
import pytest
import torch
from torch import nn
from torch.utils.data import TensorDataset

from steelyard.errors import TrainingError
from steelyard.localcloud.daemon import CloudInfo
from steelyard.training import Balancer
from steelyard.training.checkpoint.oss import oss_at
from steelyard.training.environment import WorkerEnvironment


@pytest.fixture
def client(info: CloudInfo, monkeypatch: pytest.MonkeyPatch) -> oss.Client:
    for name, value in {
        "OSS_ACCESS_KEY_ID": info.access_key_id,
        "OSS_ACCESS_KEY_SECRET": info.access_key_secret,
        "OSS_REGION": info.region_id,
        "STEELYARD_OSS_ENDPOINT": f"http://{info.endpoint}",
    }.items():
        monkeypatch.setenv(name, value)
    config = oss.config.load_default()
    config.credentials_provider = oss.credentials.EnvironmentVariableCredentialsProvider()
    config.region, config.endpoint = info.region_id, f"http://{info.endpoint}"
    return oss.Client(config)


@pytest.fixture
def bucket(client: oss.Client) -> Iterator[str]:
    name = f"kept-{uuid.uuid4().hex[:12]}"
    client.put_bucket(oss.PutBucketRequest(bucket=name))
    yield name
    for key in keys(client, name):
        client.delete_object(oss.DeleteObjectRequest(bucket=name, key=key))
    client.delete_bucket(oss.DeleteBucketRequest(bucket=name))


def keys(client: oss.Client, bucket: str) -> list[str]:
    listed = client.list_objects_v2(oss.ListObjectsV2Request(bucket=bucket, max_keys=1000))
    return [each.key for each in listed.contents or ()]


def train(place: str, num_steps: int, events: Path | None = None) -> tuple[int, list[float]]:
    """Train a small model up to a step; returns the step it began at and its losses."""
    torch.manual_seed(0)
    model = nn.Linear(4, 1)
    optimizer = torch.optim.SGD(model.parameters(), lr=0.01, momentum=0.9)
    balancer = Balancer(4, environment=WorkerEnvironment(events_path=events))
    loader = balancer.loader(TensorDataset(torch.linspace(0, 1, 80).view(20, 4)), num_steps=num_steps)
    balancer.prepare(model, optimizer)
    begun_at = balancer.checkpoint(place, every_steps=3, keep=2)
    losses = []
    for (x,) in loader:
        loss = balancer.weigh(model(x).square().mean())
        loss.backward()
        optimizer.step()
        optimizer.zero_grad()
        losses.append(loss.item())
    balancer.close()
    return begun_at, losses


def test_a_run_is_resumed_from_a_bucket_and_old_checkpoints_are_deleted(
    client: oss.Client, bucket: str
) -> None:
    undisturbed = train(f"oss://{bucket}/whole", 15)[1]
    _, first = train(f"oss://{bucket}/a/run", 8)
    begun_at, second = train(f"oss://{bucket}/a/run/", 15)
    assert begun_at == 8
    assert first + second == undisturbed
    manifests = [key for key in keys(client, bucket) if key.startswith("a/") and "manifest" in key]
    assert [int(key.split("step-")[1].split("-")[0]) for key in sorted(manifests)] == [12, 15]
    checkpoints = {key.split("/")[2] for key in keys(client, bucket) if key.startswith("a/")}
    assert len(checkpoints) == 2


def test_a_checkpoint_that_lacks_an_object_is_passed_over(
    client: oss.Client, bucket: str, tmp_path: Path
) -> None:
    train(f"oss://{bucket}", 8)
    newest = max(key for key in keys(client, bucket) if key.endswith(".distcp"))
    client.delete_object(oss.DeleteObjectRequest(bucket=bucket, key=newest))
    assert train(f"oss://{bucket}", 9, events=tmp_path / "events")[0] == 6
    told = [json.loads(line) for line in (tmp_path / "events").read_text().splitlines()]
    (warning,) = [event for event in told if event["kind"] == "warning"]
    assert "is not there" in warning["message"]


def test_a_bucket_that_is_not_there_is_refused_before_the_first_step(client: oss.Client) -> None:
    with pytest.raises(TrainingError, match="oss://no-such-bucket-here/x cannot be used: NoSuchBucket"):
        oss_at("no-such-bucket-here/x", os.environ)
