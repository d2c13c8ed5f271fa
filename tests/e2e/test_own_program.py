"""A user's own Pulumi project, applied by the command line to the local cloud."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import httpx
import pytest
from command_line import CommandLine, wait_for

EXAMPLE = str(Path(__file__).parents[2] / "examples" / "04-own-pulumi-program")
TYPES = {
    "steelyard:index:Network": 1,
    "alicloud:vpc/network:Network": 1,
    "alicloud:vpc/switch:Switch": 2,
    "alicloud:ecs/securityGroup:SecurityGroup": 1,
    "alicloud:ecs/securityGroupRule:SecurityGroupRule": 1,
    "alicloud:slb/applicationLoadBalancer:ApplicationLoadBalancer": 1,
    "alicloud:slb/serverGroup:ServerGroup": 1,
    "alicloud:slb/listener:Listener": 1,
    "alicloud:ecs/instance:Instance": 2,
    "alicloud:slb/serverGroupServerAttachment:ServerGroupServerAttachment": 2,
}


def names_served(url: str) -> set[str]:
    """Return what the servers behind a load balancer answer to ten requests."""
    answers = [httpx.get(url, trust_env=False, timeout=30) for _ in range(10)]
    return {answer.text.strip() for answer in answers if answer.status_code == 200}


@pytest.mark.slow
def test_the_example_is_previewed_brought_up_changed_in_nothing_and_taken_down(
    steelyard: CommandLine,
) -> None:
    foreseen = steelyard.json("preview", "--program", EXAMPLE)
    assert Counter(step["type"] for step in foreseen["steps"]) == TYPES
    assert foreseen["changes"] == {"create": 13}

    made = steelyard.json("up", "--program", EXAMPLE)
    try:
        assert made["changes"] == {"create": 13}
        wait_for(
            lambda: names_served(made["outputs"]["url"]) == {"own-node-0", "own-node-1"},
            timeout_s=90,
            what="both nodes answer, each with its host name",
        )
        again = steelyard.json("up", "--program", EXAMPLE)
        assert again["changes"] == {"same": 13}
        assert again["outputs"] == made["outputs"]
        stands = steelyard.json("preview", "--program", EXAMPLE)
        assert {step["urn"] for step in stands["steps"]} == {step["urn"] for step in foreseen["steps"]}
        found = steelyard.json("refresh", "--program", EXAMPLE)
        assert (found["gone"], found["changed"], len(found["same"])) == ([], [], 12)
    finally:
        gone = steelyard.json("down", "--program", EXAMPLE)
    assert gone["changes"] == {"delete": 13}
    assert not list((steelyard.folder / "home").glob("projects/*/*/*"))
    nothing = steelyard("down", "--program", EXAMPLE, expect=2)
    assert "nothing stands of own-pulumi-program/local" in nothing.stderr


@pytest.mark.slow
def test_a_type_that_is_not_covered_is_named_before_anything_is_created(steelyard: CommandLine) -> None:
    folder = steelyard.folder / "project"
    folder.mkdir()
    (folder / "Pulumi.yaml").write_text(
        "name: own\nruntime: python\nconfig:\n  alicloud:region: cn-hangzhou\n"
    )
    (folder / "__main__.py").write_text(
        "from pulumi_alicloud import oss, vpc\n"
        "net = vpc.Network('net', vpc_name='own', cidr_block='10.0.0.0/16')\n"
        "oss.BucketReplication('copy', bucket=net.id, action='ALL', destination={'bucket': 'b', 'location': 'l'})\n"
    )
    refused = steelyard("up", "--program", "project", expect=1)
    assert "oss/bucketReplication:BucketReplication" in refused.stderr
    assert "the nearest it has" in refused.stderr
    assert not list((steelyard.folder / "home").glob("projects/*/*/*.json"))
    steelyard("cloud", "status", expect=1)
