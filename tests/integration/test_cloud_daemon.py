from __future__ import annotations

import fcntl
import http.client
import os
import signal
import socket
import stat
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import psutil
import pytest
from alibabacloud_tea_openapi.exceptions import AlibabaCloudException
from alibabacloud_vpc20160428 import models
from cloud_clients import network_client
from interruption import heeding_interruptions

from steelyard.cli.cloud import running_cloud
from steelyard.errors import LocalCloudError, UsageError
from steelyard.localcloud import cloud_info, daemon
from steelyard.localcloud.daemon import CloudInfo
from steelyard.localcloud.log_file import LOG_NAME, MAX_LOG_BYTES

DEADLINE_S = 40.0


def make_vpc(info: CloudInfo) -> str:
    request = models.CreateVpcRequest(region_id=info.region_id, cidr_block="10.0.0.0/8")
    return network_client(info).create_vpc(request).body.vpc_id


def vpc_ids(info: CloudInfo) -> list[str]:
    body = network_client(info).describe_vpcs(models.DescribeVpcsRequest(region_id=info.region_id)).body
    return [vpc.vpc_id for vpc in body.vpcs.vpc]


def wait_until(is_done: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_done():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def is_listening(endpoint: str) -> bool:
    host, _, port = endpoint.partition(":")
    with socket.socket() as probe:
        return probe.connect_ex((host, int(port))) == 0


@contextmanager
def kept_for_a_listener(port: int = 0) -> Iterator[int]:
    """Keep a port from whoever takes any free one; a server that reuses addresses may listen on it meanwhile."""
    with socket.socket() as keeper:
        keeper.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        keeper.bind(("127.0.0.1", port))
        yield keeper.getsockname()[1]


def test_a_cloud_answers_from_start_to_stop(data_dir):
    assert daemon.status(data_dir) is None
    info = daemon.start(data_dir)
    assert daemon.status(data_dir) == info
    assert info.endpoint.startswith("127.0.0.1:")
    assert make_vpc(info) in vpc_ids(info)

    report = daemon.stop(data_dir)
    assert (report.was_running, report.left) == (True, ())
    assert [entry.split()[0] for entry in report.ended] == [str(info.pid)]
    assert daemon.status(data_dir) is None
    assert not is_listening(info.endpoint)
    assert not psutil.pid_exists(info.pid)


def test_state_key_and_address_outlive_a_restart(data_dir):
    before = daemon.start(data_dir)
    vpc_id = make_vpc(before)
    daemon.stop(data_dir)
    with kept_for_a_listener(int(before.endpoint.rpartition(":")[2])):
        after = daemon.start(data_dir)
    assert vpc_ids(after) == [vpc_id]
    assert after.pid != before.pid
    for same in ("endpoint", "access_key_id", "access_key_secret", "account_id"):
        assert getattr(after, same) == getattr(before, same)


def test_state_outlives_a_kill_and_the_next_start_is_clean(data_dir):
    info = daemon.start(data_dir)
    vpc_id = make_vpc(info)
    os.kill(info.pid, signal.SIGKILL)
    wait_until(lambda: daemon.status(data_dir) is None)
    assert vpc_ids(daemon.start(data_dir)) == [vpc_id]


def test_a_start_at_once_after_a_kill_gives_a_cloud_that_answers(data_dir):
    info = daemon.start(data_dir)
    for _ in range(3):
        os.kill(info.pid, signal.SIGKILL)  # It holds its lock and has its id for some milliseconds more.
        before, info = info, daemon.start(data_dir)
        assert info.pid != before.pid
        assert vpc_ids(info) == []


@pytest.fixture
def hung(data_dir, monkeypatch):
    """A cloud that is stopped in its tracks, and is not waited for long."""
    info = daemon.start(data_dir)
    os.kill(info.pid, signal.SIGSTOP)
    monkeypatch.setattr(cloud_info, "ANSWER_TIMEOUT_S", 0.2)
    return info


def test_a_cloud_that_hangs_is_not_given_and_its_death_is_waited_for(data_dir, hung):
    assert daemon.status(data_dir) is None
    with ThreadPoolExecutor(1) as pool:
        starting = pool.submit(daemon.start, data_dir)
        with pytest.raises(TimeoutError):
            starting.result(1)
        os.kill(hung.pid, signal.SIGKILL)
        info = starting.result(DEADLINE_S)
    assert info.pid != hung.pid
    assert vpc_ids(info) == []


def test_a_cloud_that_does_not_answer_in_time_is_told_and_can_be_stopped(data_dir, hung, monkeypatch):
    monkeypatch.setattr(daemon, "START_DEADLINE_S", 0.5)
    with pytest.raises(LocalCloudError, match="does not answer") as caught:
        daemon.start(data_dir)
    assert f"steelyard cloud stop --data {data_dir}" in caught.value.hint
    os.kill(hung.pid, signal.SIGCONT)
    assert daemon.stop(data_dir).was_running


def test_a_second_start_gives_the_cloud_that_runs(data_dir):
    with ThreadPoolExecutor(4) as pool:
        infos = list(pool.map(daemon.start, [data_dir] * 4))
    assert len({info.pid for info in infos}) == 1


def test_two_clouds_are_strangers(tmp_path, data_dir):
    other_dir = tmp_path / "other"
    one, other = daemon.start(data_dir), daemon.start(other_dir)
    try:
        assert one.endpoint != other.endpoint
        assert one.access_key_id != other.access_key_id
        make_vpc(one)
        assert vpc_ids(other) == []
    finally:
        daemon.stop(other_dir)


def test_the_port_may_be_chosen(data_dir):
    with kept_for_a_listener() as port:
        assert daemon.start(data_dir, port).endpoint == f"127.0.0.1:{port}"


def test_a_port_that_is_taken_is_told(data_dir):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(LocalCloudError, match="Address already in use") as caught:
            daemon.start(data_dir, taken.getsockname()[1])
    assert "Traceback" not in caught.value.message
    assert "--port" in caught.value.hint
    assert daemon.status(data_dir) is None


def test_a_cloud_that_is_about_to_start_is_not_taken_for_none(data_dir):
    data_dir.mkdir()
    with (data_dir / "cloud.lock").open("a") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        assert daemon.status(data_dir) is None
        with pytest.raises(LocalCloudError, match="about to start or to end"):
            running_cloud(data_dir)
    with pytest.raises(LocalCloudError, match="no local cloud runs"):
        running_cloud(data_dir)


@pytest.mark.parametrize("port", [-1, 65_536])
def test_a_port_that_is_none_is_refused(data_dir, port):
    with pytest.raises(UsageError, match="is no TCP port"):
        daemon.start(data_dir, port)
    assert not data_dir.exists()


def test_a_cloud_that_runs_does_not_change_its_port(data_dir):
    port = int(daemon.start(data_dir).endpoint.rpartition(":")[2])
    assert daemon.start(data_dir, port).endpoint == f"127.0.0.1:{port}"
    with pytest.raises(UsageError, match="not on port") as caught:
        daemon.start(data_dir, port - 1)
    assert f"steelyard cloud stop --data {data_dir}" in caught.value.hint


def test_a_cloud_whose_description_was_deleted_writes_it_again(data_dir):
    info = daemon.start(data_dir)
    (data_dir / "cloud.json").unlink()
    assert daemon.start(data_dir) == info
    wait_until(lambda: daemon.status(data_dir) == info)
    (data_dir / "cloud.json").unlink()
    assert daemon.stop(data_dir).was_running


def test_a_state_that_is_damaged_further_in_is_told_as_well(data_dir):
    daemon.start(data_dir)
    daemon.stop(data_dir)
    with (data_dir / "state.sqlite").open("r+b") as file:
        file.seek(4096)
        file.write(b"\xff" * 20_000)
    with pytest.raises(LocalCloudError, match=r"state\.sqlite cannot be read: .*malformed$"):
        daemon.start(data_dir)


def test_a_state_that_is_damaged_is_told_and_left_alone(data_dir):
    data_dir.mkdir()
    state = data_dir / "state.sqlite"
    state.write_text("no state")
    for _ in range(2):  # What the first one said is not told as the second one's words.
        with pytest.raises(
            LocalCloudError, match=r"state\.sqlite cannot be read: file is not a database$"
        ) as caught:
            daemon.start(data_dir)
    assert "move the folder away" in caught.value.hint
    assert state.read_text() == "no state"


def test_a_state_that_was_emptied_is_told_and_not_begun_anew(data_dir):
    daemon.start(data_dir)
    daemon.stop(data_dir)
    state = data_dir / "state.sqlite"
    os.truncate(state, 0)
    with pytest.raises(LocalCloudError, match=r"state\.sqlite is empty, though a cloud has lived") as caught:
        daemon.start(data_dir)
    assert "put a good copy" in caught.value.hint
    assert state.stat().st_size == 0


def test_a_first_start_that_was_killed_before_it_wrote_its_state_is_made_again(data_dir):
    data_dir.mkdir()
    (data_dir / "state.sqlite").touch()
    assert vpc_ids(daemon.start(data_dir)) == []


def test_a_folder_that_is_none_is_told(tmp_path):
    (tmp_path / "file").write_text("")
    for do in (daemon.start, daemon.status, daemon.stop, daemon.purge):
        with pytest.raises(LocalCloudError, match=f"{tmp_path}/file.* cannot be used") as caught:
            do(tmp_path / "file")
        assert "--data DIR" in caught.value.hint


def test_a_start_that_is_interrupted_leaves_no_cloud(data_dir):
    script = "import sys; from pathlib import Path; from steelyard.localcloud import daemon; "
    with heeding_interruptions():
        starter = subprocess.Popen(
            [sys.executable, "-c", f"{script} daemon.start(Path(sys.argv[1]))", str(data_dir)],
            stderr=subprocess.DEVNULL,
        )
    with starter:
        wait_until(lambda: len(psutil.Process(starter.pid).children()) > 0)
        (cloud,) = psutil.Process(starter.pid).children()
        starter.send_signal(signal.SIGINT)
        starter.wait(DEADLINE_S)
    assert not cloud.is_running()
    assert daemon.status(data_dir) is None


def test_a_start_that_is_interrupted_before_it_knows_the_cloud_leaves_none(data_dir, monkeypatch):
    spawn, clouds = os.posix_spawn, []

    def spawn_and_interrupt(*words, **settings):
        clouds.append(psutil.Process(spawn(*words, **settings)))
        signal.raise_signal(signal.SIGINT)
        return clouds[-1].pid

    monkeypatch.setattr(os, "posix_spawn", spawn_and_interrupt)
    with heeding_interruptions(), pytest.raises(KeyboardInterrupt):
        daemon.start(data_dir)
    (cloud,) = clouds
    assert not cloud.is_running()
    assert not daemon.is_held(data_dir)


def test_secrets_are_readable_by_their_owner_alone(data_dir):
    daemon.start(data_dir)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in data_dir.iterdir() if path.is_file()}
    assert modes["cloud.json"] == 0o600
    assert modes["state.sqlite"] == 0o600
    assert stat.S_IMODE(data_dir.stat().st_mode) == 0o700


def test_the_log_stays_short_while_the_cloud_runs(data_dir):
    info = daemon.start(data_dir)
    log = data_dir / LOG_NAME
    with log.open("a") as file:
        file.write("x" * (MAX_LOG_BYTES + 1))
    wait_until(lambda: log.stat().st_size < MAX_LOG_BYTES)
    assert (data_dir / f"{LOG_NAME}.1").stat().st_size > MAX_LOG_BYTES
    with pytest.raises(AlibabaCloudException):
        network_client(info).allocate_ipv_6address(
            models.AllocateIpv6AddressRequest(region_id=info.region_id, v_switch_id="vsw-1")
        )
    wait_until(lambda: "AllocateIpv6Address was called, and is not served" in log.read_text())


def test_stop_without_a_cloud_has_nothing_to_do(tmp_path):
    report = daemon.stop(tmp_path / "nothing")
    assert (report.was_running, report.ended, report.left) == (False, (), ())


def test_a_cloud_that_runs_cannot_be_purged(data_dir):
    daemon.start(data_dir)
    with pytest.raises(LocalCloudError, match="runs"):
        daemon.purge(data_dir)
    daemon.stop(data_dir)
    daemon.purge(data_dir)
    assert not data_dir.exists()
    daemon.purge(data_dir)


def start_stray(data_dir: Path) -> subprocess.Popen[bytes]:
    """Start a process that has its home in an instance's folder, but is no descendant of the cloud."""
    home = data_dir / "instances" / "i-1" / "root"
    home.mkdir(parents=True)
    stray = subprocess.Popen(
        [sys.executable, "-c", "import time; time.sleep(60)"],
        env={"HOME": str(home)},
        start_new_session=True,
    )
    wait_until(lambda: psutil.Process(stray.pid).environ().get("HOME") == str(home))
    return stray


def test_stop_ends_a_process_of_an_instance_that_slipped_away(data_dir):
    daemon.start(data_dir)
    stray = start_stray(data_dir)
    report = daemon.stop(data_dir)
    stray.wait(DEADLINE_S)
    assert str(stray.pid) in [entry.split()[0] for entry in report.ended]


def test_start_clears_away_what_a_killed_cloud_left(data_dir):
    info = daemon.start(data_dir)
    stray = start_stray(data_dir)
    os.kill(info.pid, signal.SIGKILL)
    wait_until(lambda: daemon.status(data_dir) is None)
    daemon.start(data_dir)
    stray.wait(DEADLINE_S)


def test_files_of_what_a_killed_cloud_was_deleting_go_at_the_next_start(data_dir):
    info = daemon.start(data_dir)
    os.kill(info.pid, signal.SIGKILL)
    wait_until(lambda: daemon.status(data_dir) is None)
    left = [
        data_dir / name for name in ("load-balancers/lb-1", "load-balancers/nlb-2-datagrams", "images/m-3")
    ]
    for folder in left:
        folder.mkdir(parents=True)
        (folder / "file").touch()
    daemon.start(data_dir)
    assert not any(folder.exists() for folder in left)


def test_an_idle_connection_does_not_hold_up_the_end(data_dir):
    info = daemon.start(data_dir)
    host, _, port = info.endpoint.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE_S)
    connection.connect()
    os.kill(info.pid, signal.SIGTERM)
    wait_until(lambda: daemon.status(data_dir) is None)
    connection.close()


def test_the_process_may_be_run_by_hand(data_dir):
    process = subprocess.Popen(
        [sys.executable, "-m", "steelyard.localcloud", "--data", str(data_dir)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert process.stdout is not None
    with process:
        info = CloudInfo.from_json(process.stdout.readline())
        assert info.pid == process.pid
        assert daemon.start(data_dir) == info
        process.send_signal(signal.SIGINT)
        assert process.wait(DEADLINE_S) == 0


@pytest.mark.parametrize(
    "path", ["/?Action=CreateVpc", "/metadata/i-none/latest/meta-data/instance-id", "/x"]
)
def test_nothing_is_answered_to_a_stranger(data_dir, path):
    info = daemon.start(data_dir)
    host, _, port = info.endpoint.partition(":")
    connection = http.client.HTTPConnection(host, int(port), timeout=DEADLINE_S)
    connection.request("GET", path)
    answer = connection.getresponse()
    answer.read()
    connection.close()
    assert answer.status in (400, 404)
