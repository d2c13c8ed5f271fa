import io

import pytest
from rich.console import Console

from steelyard.cli import progress
from steelyard.cli.main import _keep_proxies_off_loopback


def test_calls_of_the_local_cloud_pass_no_proxy() -> None:
    environment = {"HTTP_PROXY": "http://proxy.example:3128", "no_proxy": "internal.example"}

    _keep_proxies_off_loopback(environment)

    assert environment["NO_PROXY"] == "127.0.0.0/8,localhost"
    assert environment["no_proxy"] == "internal.example,127.0.0.0/8,localhost"


def test_a_script_that_reports_no_loss_is_followed_all_the_same(monkeypatch: pytest.MonkeyPatch) -> None:
    screen = io.StringIO()
    monkeypatch.setattr(progress, "stderr", lambda: Console(file=screen, width=200))
    step = {
        "kind": "step",
        "step": 20,
        "total_steps": None,
        "loss": None,
        "samples_per_s": 400.0,
        "is_imitated": True,
        "nodes": [{"node_id": "i-1", "share": 48, "samples_per_s": 400.0}],
    }

    with progress.TrainProgress("train") as following:
        following(step)

    assert (
        "train step 20/?  400 samples/s  [i-1: share 48 at 400/s] (imitated accelerator)" in screen.getvalue()
    )
