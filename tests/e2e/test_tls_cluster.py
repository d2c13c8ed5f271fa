"""Clusters whose gateways are called through a listener with TLS, as a user brings them up."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml
from command_line import CommandLine, clear
from tls_pair import Authority

pytestmark = [pytest.mark.slow, pytest.mark.timeout(600)]

NAME = "gateway.test"
CHECK = {"interval_s": 1, "timeout_s": 5, "healthy_threshold": 2, "unhealthy_threshold": 2}
CLASSIC = {"kind": "classic", "listeners": [{"port": 8443, "protocol": "https"}], "sticky_session_s": 60}
NETWORK = {"kind": "network", "listeners": [{"port": 8443, "protocol": "tcpssl"}]}


@pytest.fixture(params=[CLASSIC, NETWORK], ids=["classic", "network"])
def line(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[CommandLine]:
    """A command line in a folder with a cluster file, its certificate beside it."""
    line = CommandLine(folder=tmp_path)
    write(tmp_path, Authority(), request.param)
    try:
        yield line
    finally:
        clear(line)


def write(folder: Path, authority: Authority, balancer: dict[str, Any], **changes: Any) -> None:
    """Write a cluster file and the certificate that it names by relative paths."""
    certificate, key = authority.issue(name=NAME)
    for name, text in (("ca.pem", authority.pem), ("gateway.pem", certificate), ("gateway.key", key)):
        (folder / name).write_text(text)
    tls = {
        "certificate_file": "gateway.pem",
        "key_file": "gateway.key",
        "ca_file": "ca.pem",
        "server_name": NAME,
    }
    spec = {
        "name": "tls",
        "node_groups": [{"name": "workers", "count": 1}],
        "load_balancer": {**balancer, "tls": tls, "health_check": CHECK, **changes},
    }
    (folder / "cluster.yaml").write_text(yaml.safe_dump(spec))


def test_a_cluster_is_reached_and_trains_through_tls_alone(line: CommandLine, tmp_path: Path) -> None:
    up = line.json("up")
    url = up["outputs"]["gateway_url"]
    assert url.startswith("https://")
    assert url.endswith(":8443")
    assert line.json("status")["nodes"][0]["health"] == "normal"
    with pytest.raises(httpx.HTTPError):
        httpx.get(
            url.replace("https", "http").replace(":8443", ":8000") + "/healthz", trust_env=False, timeout=30
        )
    with pytest.raises(httpx.ConnectError, match="CERTIFICATE_VERIFY_FAILED"):
        httpx.get(f"{url}/healthz", trust_env=False, timeout=30)

    script = tmp_path / "job" / "hello.py"
    script.parent.mkdir()
    script.write_text("import os\nprint('hello from rank', os.environ['RANK'])\n")
    job = line.json("train", "--detach", str(script))
    assert "hello from rank 0" in line("jobs", "logs", job["id"], "--follow").stdout

    # Another certificate, of another authority: the command line follows.
    kept = yaml.safe_load((tmp_path / "cluster.yaml").read_text())["load_balancer"]
    write(tmp_path, Authority("Another authority"), {k: v for k, v in kept.items() if k != "tls"})
    changes = line.json("up")["changes"]
    assert changes["update"] >= 1
    assert line.json("jobs", "list")["jobs"][0]["id"] == job["id"]

    # What is protected is not taken down, nor anything else of the cluster.
    write(tmp_path, Authority(), {k: v for k, v in kept.items() if k != "tls"}, deletion_protection=True)
    line("up")
    assert "deletion_protection" in line("down", expect=2).stderr
    assert line.json("status")["nodes"][0]["health"] == "normal"
    write(tmp_path, Authority(), {k: v for k, v in kept.items() if k != "tls"})
    assert line.json("up")["changes"]["update"] >= 1
    assert line.json("down")["changes"].keys() == {"delete"}
