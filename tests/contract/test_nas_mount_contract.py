"""File systems of NAS as instances see them: by real processes of two instances, let in by the permission group."""

from __future__ import annotations

import pytest
from contract_sdk import wait_for
from own_range import inner

MOUNT = """#!/bin/bash
cd ~
python3 -m steelyard.node.mount {domain} {folder} && echo "mounted"
{then}
echo "over"
"""


@pytest.fixture
def run(fleet):
    """Boot an instance that mounts, and give what it says."""

    def run(domain: str, then: str = "", folder: str = "~/kept/files", **settings: object) -> str:
        (made,) = fleet.run(MOUNT.format(domain=domain, folder=folder, then=then), **settings)
        return wait_for(lambda: fleet.console(made), lambda text: "over\n" in text)

    return run


def test_what_one_instance_writes_the_other_reads(files, fleet, run):
    made = files.make()
    first, second = (files.open(made, fleet.vpc_id, fleet.vswitch_id) for _ in range(2))
    assert "mounted" in run(first, "echo from-the-first > ~/kept/files/note")
    assert "from-the-first" in run(second, "cat ~/kept/files/note")


def test_an_instance_mounts_again_where_it_has_mounted(files, fleet, run):
    domain = files.open(files.make(), fleet.vpc_id, fleet.vswitch_id)
    again = f"python3 -m steelyard.node.mount {domain} ~/kept/files && readlink ~/kept/files"
    assert f"mount-targets/{domain}" in run(domain, again)


@pytest.mark.parametrize("tokens", ["optional", "required"])
def test_a_rule_lets_the_addresses_of_its_range_in(files, fleet, run, tokens):
    group = files.make_group("subnet")
    files.let_in(group, inner("0.0/24"))
    domain = files.open(files.make(), fleet.vpc_id, fleet.vswitch_id, access_group_name=group)
    assert "mounted" in run(domain, http_tokens=tokens, http_endpoint="enabled")


def test_who_no_rule_names_is_kept_out(files, fleet, run):
    group = files.make_group("others")
    files.let_in(group, "10.78.0.0/16")
    domain = files.open(files.make(), fleet.vpc_id, fleet.vswitch_id, access_group_name=group)
    told = run(domain, "ls ~/kept/files")
    assert "mounted" not in told
    assert f"no rule of the permission group others lets {inner('0.')}" in told
    assert "No such file" in told


def test_the_rule_of_the_highest_priority_counts_and_one_that_reads_alone_is_refused(files, fleet, run):
    group = files.make_group("readers")
    files.let_in(group, "10.0.0.0/8", priority=2)
    files.let_in(group, inner("0.0/16"), priority=1, rwaccess_type="RDONLY")
    domain = files.open(files.make(), fleet.vpc_id, fleet.vswitch_id, access_group_name=group)
    assert "does not serve read-only mounts" in run(domain)


def test_an_inactive_mount_target_one_of_smb_and_one_of_another_vpc_let_nobody_in(
    files, fleet, run, make_vpc, make_vswitch
):
    made = files.make()
    inactive = files.open(made, fleet.vpc_id, fleet.vswitch_id)
    files.change_target(made, inactive, status="Inactive")
    assert "is Inactive" in run(inactive)
    other_vpc = make_vpc("10.80.0.0/16")
    elsewhere = files.open(made, other_vpc, make_vswitch(other_vpc, "10.80.0.0/24"))
    assert "there is no mount target" in run(elsewhere)
    windows = files.open(files.make(protocol_type="SMB"), fleet.vpc_id, fleet.vswitch_id)
    assert "speaks no NFS" in run(windows)
    files.clear()


def test_a_file_system_is_not_mounted_where_every_node_would_see_it(files, fleet, run):
    domain = files.open(files.make(), fleet.vpc_id, fleet.vswitch_id)
    assert "mount it in the node's home" in run(domain, folder="/mnt/kept")
    assert "mount it in the node's home" in run(domain, folder="~/../kept")


def test_a_folder_that_holds_something_is_not_covered(files, fleet, run):
    domain = files.open(files.make(), fleet.vpc_id, fleet.vswitch_id)
    again = f"mkdir ~/mine && python3 -m steelyard.node.mount {domain} ~/mine"
    assert "something is there already" in run(domain, again)


def test_nodes_keep_what_they_mounted_until_its_mount_target_goes(files, fleet, run):
    made = files.make()
    domain = files.open(made, fleet.vpc_id, fleet.vswitch_id)
    waits = "until [ ! -e ~/kept/files/. ]; do sleep 0.05; done; echo unmounted"
    (node,) = fleet.run(MOUNT.format(domain=domain, folder="~/kept/files", then=waits))
    wait_for(lambda: fleet.console(node), lambda text: "mounted\n" in text)
    files.close(made, domain)
    wait_for(lambda: fleet.console(node), lambda text: "unmounted\n" in text)
