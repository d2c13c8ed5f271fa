from __future__ import annotations

import os
import signal
import sys
import threading
from contextlib import suppress

import psutil
import pytest
from own_range import inner, served
from traffic import wait_until

from steelyard.errors import LocalCloudError
from steelyard.localcloud.hosts import process
from steelyard.localcloud.hosts.address import AddressInUse
from steelyard.localcloud.hosts.host import Errand, Machine
from steelyard.localcloud.hosts.loopback import CONSOLE_ANSWER_BYTES, LoopbackHost
from steelyard.localcloud.hosts.pace import Pace

# A daemon that has left its session and its parent, and does not listen to SIGTERM.
STUBBORN = """#!/bin/bash
(setsid bash -c 'trap "" TERM; echo daemon up; sleep 1000; true' &)
echo "main up"
exec sleep 1000
"""


@pytest.fixture
def host(tmp_path):
    host = LoopbackHost(tmp_path / "instances")
    yield host
    host.close(0)


def boot(host, script: str, instance_id: str = "i-1") -> threading.Event:
    ended = threading.Event()
    machine = Machine(
        instance_id=instance_id,
        address=served("210.10"),
        user_data=script.encode(),
        metadata_url="http://127.0.0.1:1/metadata/i-1",
    )
    host.boot(machine, ended.set)
    return ended


def wait_console(host, text: str) -> str:
    return wait_until(lambda: host.console("i-1").decode(), lambda console: text in console)


def family(host) -> list[psutil.Process]:
    found = []
    for pid in host.process_ids()["i-1"]:
        with suppress(psutil.NoSuchProcess):  # What a script calls may be gone already.
            found.append(psutil.Process(pid))
    return found


def wait_gone(processes: list[psutil.Process]) -> None:
    wait_until(lambda: [p for p in processes if p.is_running()], lambda left: not left)


@pytest.mark.parametrize("grace_s", [0, 0.2])
def test_a_shut_down_ends_daemons_that_do_not_listen(host, grace_s):
    ended = boot(host, STUBBORN)
    wait_console(host, "daemon up")
    # The daemon speaks before all of the script's children are there.
    processes = wait_until(lambda: family(host), lambda found: len(found) == 5)

    host.shut_down("i-1", grace_s)

    assert not any(p.is_running() for p in processes)
    assert ended.wait(30)
    assert not host.is_running("i-1")


@pytest.mark.parametrize("position", [0, 1], ids=["keeper", "init"])
def test_the_death_of_either_supervisor_ends_the_tree(host, position):
    ended = boot(host, STUBBORN)
    wait_console(host, "daemon up")
    processes = family(host)

    os.kill(processes[position].pid, signal.SIGKILL)

    wait_gone(processes)
    assert ended.wait(30)


def test_the_private_folder_for_sockets_is_short_and_goes_with_the_machine(host, tmp_path):
    boot(host, '#!/bin/bash\ntouch "$TMPDIR/x"\necho "in $TMPDIR."\n')
    folder = wait_console(host, "in /").split("in ")[1].split(".")[0]
    assert len(folder) < 40
    assert os.path.exists(folder)
    host.shut_down("i-1", 0)
    assert not os.path.exists(folder)


def test_the_private_folder_is_short_wherever_temporary_files_go(host, tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / ("long" * 20)))
    boot(host, '#!/bin/bash\necho "in $TMPDIR."\n')
    assert len(wait_console(host, "in /").split("in ")[1].split(".")[0]) < 20


def test_the_private_folder_is_there_though_the_one_of_a_tree_without_a_cloud_is_gone(host, tmp_path):
    folder = tmp_path / "instances" / "i-1"
    folder.mkdir()
    (folder / "scratch").symlink_to(tmp_path / "gone")
    boot(host, '#!/bin/bash\ntouch "$TMPDIR/x" && echo "is there"\n')
    wait_console(host, "is there")


def test_a_machine_outlives_its_script_and_a_second_boot_runs_it_again(host):
    boot(host, "#!/bin/bash\necho once\n")
    wait_console(host, "exit code 0")
    assert host.is_running("i-1")
    host.shut_down("i-1", 0)
    boot(host, "#!/bin/bash\necho twice\n")
    assert "once" in wait_console(host, "twice")


def test_an_errand_of_the_second_boot_survives_the_late_news_of_the_first_ones_end(host):
    boot(host, "")
    late_news = host._machines["i-1"]._on_end
    host.shut_down("i-1", 0)
    boot(host, "")
    host.run("i-1", Errand(id="errand-1", script=b"echo begun; sleep 1000"), lambda *_: None)
    wait_until(lambda: host.run_output("errand-1"), lambda output: b"begun" in output)
    errand = psutil.Process(host._errands.supervisors("i-1")[0])
    late_news()
    assert errand.is_running()
    host.shut_down("i-1", 0)
    wait_gone([errand])


def test_of_two_paces_that_are_set_at_once_none_stays(host, monkeypatch):
    boot(host, "")
    is_making, is_other_set = threading.Event(), threading.Event()

    def make(*words) -> Pace:
        pace = Pace(*words)
        if not is_making.is_set():
            is_making.set()
            is_other_set.wait(0.5)
        return pace

    monkeypatch.setattr(process, "Pace", make)
    first = threading.Thread(target=host.set_pace, args=["i-1", 0.5])
    first.start()
    assert is_making.wait(30)
    host.set_pace("i-1", 0.0)
    is_other_set.set()
    first.join(30)
    host.set_pace("i-1", 1.0)
    assert not [thread for thread in threading.enumerate() if thread.name == "pace"]


def test_a_home_is_copied_while_what_is_in_it_comes_and_goes(host, tmp_path):
    boot(
        host,
        "#!/bin/bash\necho kept > kept; mkfifo pipe\n"
        f"{sys.executable} -c 'import socket; socket.socket(socket.AF_UNIX).bind(\"door\")'\n"
        "echo begun\n"
        "while :; do mkdir -p a/b/c; touch a/b/f a/g; ln -s kept a/b/l; rm -r a; done\n",
    )
    wait_console(host, "begun")
    for number in range(100):
        copy = tmp_path / f"copy-{number}"
        host.copy_home("i-1", copy)
        assert {path.name for path in copy.iterdir()} - {"a"} == {"kept"}
        assert (copy / "kept").read_text() == "kept\n"


def test_a_script_whose_interpreter_is_missing_is_told_on_the_console(host):
    boot(host, "#!/no/such/interpreter\n")
    wait_console(host, "could not be started: No such file or directory")
    assert host.is_running("i-1")


def test_a_flood_of_output_stays_bounded_and_keeps_its_end(host, tmp_path):
    boot(host, "#!/bin/bash\nhead -c 5000000 /dev/zero | tr '\\0' 'x'\necho the end\n")
    console = wait_console(host, "the end")
    assert len(console) <= CONSOLE_ANSWER_BYTES
    assert (tmp_path / "instances" / "i-1" / "console.log").stat().st_size <= 1 << 20


def test_nothing_boots_once_the_host_is_closed(host):
    host.close(0)
    with pytest.raises(LocalCloudError, match="closed"):
        boot(host, STUBBORN)


def test_files_are_for_their_owner_alone_and_go_with_the_instance(host, tmp_path):
    boot(host, STUBBORN)
    folder = tmp_path / "instances" / "i-1"
    assert (folder / "user-data").stat().st_mode & 0o077 == 0
    assert (folder / "console.log").stat().st_mode & 0o077 == 0
    host.shut_down("i-1", 0)
    host.discard("i-1")
    assert not folder.exists()
    assert host.console("i-1") == b""


def test_addresses_are_claimed_in_the_networks_words_and_answered_in_the_hosts(host):
    block, address = inner("211.0/24"), served("211.77")
    assert host.claim_address(block, inner("211.77")) == address
    with pytest.raises(AddressInUse):
        host.claim_address(block, address)
    with pytest.raises(ValueError, match="outside"):
        host.claim_address(block, inner("212.77"))
    host.hold_address(address)
    host.release_address(address)
    assert host.claim_address(block, address) == address


def test_a_boot_that_fails_leaves_nothing_of_an_instance_that_is_discarded(host):
    host.close(0)
    with pytest.raises(LocalCloudError, match="is closed"):
        boot(host, "")
    host.discard("i-1")
    assert not host._homes
    assert not host._machines
