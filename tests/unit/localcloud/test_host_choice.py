from __future__ import annotations

import pytest

from steelyard.errors import LocalCloudError, UsageError
from steelyard.localcloud.hosts import choice
from steelyard.localcloud.hosts.choice import HostChoice, choose, describe, make_host
from steelyard.localcloud.hosts.limit import ControlGroups
from steelyard.localcloud.hosts.loopback import LoopbackHost


@pytest.fixture
def any_machine(monkeypatch):
    monkeypatch.setattr(choice, "missing_part", lambda: "")


def ask_for(folder, name=None, has_limits=None, is_running=False) -> HostChoice:
    return choose(folder, name=name, has_limits=has_limits, is_running=is_running)


@pytest.fixture
def poor_machine(monkeypatch):
    monkeypatch.setattr(choice, "missing_part", lambda: "the kernel refuses nftables")


def test_a_cloud_that_nobody_chose_for_is_on_loopback_addresses(tmp_path):
    assert isinstance(make_host(tmp_path), LoopbackHost)


@pytest.mark.parametrize("name", [None, "auto"])
def test_where_nothing_is_asked_the_best_that_the_machine_has_is_taken_and_kept(tmp_path, any_machine, name):
    assert ask_for(tmp_path, name).name == "namespace"
    assert HostChoice.load(tmp_path).name == "namespace"


@pytest.mark.parametrize("name", [None, "auto"])
def test_loopback_addresses_are_taken_where_the_machine_has_nothing_better(tmp_path, poor_machine, name):
    assert ask_for(tmp_path, name).name == "loopback"


def test_auto_leaves_a_cloud_alone_that_runs_or_has_instances_or_was_told_otherwise(tmp_path, any_machine):
    running, settled, told = tmp_path / "running", tmp_path / "settled", tmp_path / "told"
    (settled / "instances" / "i-1").mkdir(parents=True)
    ask_for(told, "loopback")

    assert ask_for(running, "auto", is_running=True).name == "loopback"
    assert ask_for(settled, "auto").name == "loopback"
    assert ask_for(told).name == "loopback"


def test_a_choice_is_kept_with_the_clouds_state(tmp_path, any_machine):
    ask_for(tmp_path / "cloud", "namespace")
    assert ask_for(tmp_path / "cloud").name == "namespace"
    assert HostChoice.load(tmp_path / "cloud").enforces_security_groups


def test_a_machine_that_lacks_something_is_told_what(tmp_path, poor_machine):
    with pytest.raises(LocalCloudError, match="cannot run here: the kernel refuses nftables"):
        ask_for(tmp_path, "namespace")
    assert HostChoice.load(tmp_path).name == "loopback"


def test_a_plain_user_is_told_of_user_namespaces(monkeypatch):
    monkeypatch.setattr(choice.os, "geteuid", lambda: 1000)
    assert "unshare -Urn" in choice.missing_part()


def test_a_running_cloud_does_not_change(tmp_path, any_machine):
    with pytest.raises(UsageError, match="runs on the loopback host"):
        ask_for(tmp_path, "namespace", is_running=True)
    assert ask_for(tmp_path, "loopback", is_running=True).name == "loopback"


def test_instances_keep_their_addresses_and_so_their_host(tmp_path, any_machine):
    (tmp_path / "instances" / "i-1").mkdir(parents=True)
    with pytest.raises(UsageError, match="addresses are those of the loopback host"):
        ask_for(tmp_path, "namespace")


def test_limits_are_refused_where_there_are_no_control_groups(tmp_path, monkeypatch):
    found = ControlGroups.find
    monkeypatch.setattr(choice.ControlGroups, "find", lambda: found(tmp_path / "nowhere"))
    with pytest.raises(LocalCloudError, match="limits need the control groups"):
        ask_for(tmp_path, has_limits=True)
    assert not HostChoice.load(tmp_path).has_limits


def test_a_choice_is_said_in_words():
    assert describe(HostChoice()) == (
        "the loopback host (security groups kept, not enforced, CPU and memory not limited)"
    )
