"""The local cloud's process: `python -m steelyard.localcloud --data DIR [--port N]`.

It prints one line of JSON, a `CloudInfo`, once it answers, and runs until SIGTERM or SIGINT. Where it cannot start, the
line has `refusal` and `hint`. `daemon.start` is the usual way to run it.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import logging
import os
import resource
import signal
import socket
import sqlite3
import ssl
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import cache, partial
from pathlib import Path
from types import FrameType

import uvicorn

from steelyard.errors import LocalCloudError
from steelyard.localcloud.certificate import CertificateFiles, server_context
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.cloud_info import INFO_NAME, CloudInfo, write_info
from steelyard.localcloud.daemon import LOCK_NAME
from steelyard.localcloud.door.app import App
from steelyard.localcloud.door.front import Front
from steelyard.localcloud.faults.board import FaultBoard
from steelyard.localcloud.faults.door import FaultDoor
from steelyard.localcloud.hosts.link import dismiss_orphans, take_lock
from steelyard.localcloud.identity import load_identity
from steelyard.localcloud.kept_file import stop_hint, unusable
from steelyard.localcloud.log_file import keep_log_short
from steelyard.localcloud.metadata.identity import AuthoritySigner
from steelyard.localcloud.metadata.service import FileServer, InstanceDirectory, MetadataService
from steelyard.localcloud.services import SERVICES
from steelyard.localcloud.services.balancing import sweep_folders
from steelyard.localcloud.services.ecs.state import EcsState
from steelyard.localcloud.services.sts.actions import StsService
from steelyard.localcloud.store import Store
from steelyard.localcloud.terms import Terms

DEFAULT_REGION = "cn-hangzhou"
GRACE_S = 3
LOOK_FOR_FOLDER_S = 2
DELETION_S = 1.0
MAX_FILES = 65_536
_STATE_NAME = "state.sqlite"
# Clients poll every few seconds on a kept connection and do not repeat a POST on one that was just closed.
KEEP_ALIVE_S = 300

_log = logging.getLogger(__name__)


def main() -> int:
    """Run the local cloud until it is told to end."""
    parser = argparse.ArgumentParser(
        prog="python -m steelyard.localcloud", description="Run a local Alibaba Cloud."
    )
    parser.add_argument("--data", type=Path, required=True, help="folder of the cloud's state")
    parser.add_argument(
        "--port", type=int, default=0, help="port on 127.0.0.1; 0 for the last one or any free one"
    )
    parser.add_argument("--region", default=DEFAULT_REGION, help="region of a new cloud")
    arguments = parser.parse_args()
    logging.basicConfig(level=logging.INFO, format="%(asctime)s %(levelname)s %(name)s %(message)s")
    data_dir = arguments.data.resolve()
    try:
        with _folder(data_dir):
            _raise_file_limit()
            _serve(data_dir, arguments.port, arguments.region)
    except LocalCloudError as err:
        return _refuse(err)
    except sqlite3.Error as err:
        _log.exception("the local cloud ends")
        return _refuse(_unreadable(err))
    except OSError as err:
        _log.exception("the local cloud ends")
        return _refuse(unusable(data_dir, err))
    return 0


@contextmanager
def _folder(data_dir: Path) -> Iterator[None]:
    """Go to a cloud's folder, and hold it against another one.

    Raises:
        LocalCloudError: Another one has it.
    """
    os.umask(0o077)
    data_dir.mkdir(parents=True, exist_ok=True)
    os.chdir(data_dir)
    with (data_dir / LOCK_NAME).open("a") as lock:
        if not take_lock(lock.fileno()):
            raise LocalCloudError(f"another local cloud runs on {data_dir}", stop_hint(data_dir))
        yield


def _refuse(err: LocalCloudError) -> int:
    """Tell whoever started this process, and the log, why it ends."""
    with suppress(OSError):  # The log may be on the disk that is full.
        sys.stderr.write(f"{err.message}; {err.hint}\n")
    # Once it has been announced, output goes where errors go, and nobody waits for a refusal.
    with suppress(OSError):
        sys.stdout.write(json.dumps({"refusal": err.message, "hint": err.hint}) + "\n")
        sys.stdout.flush()
    return err.exit_code


def _raise_file_limit() -> None:
    """Let this process have as many files open as it may: each instance takes four, a connection one."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = MAX_FILES if hard == resource.RLIM_INFINITY else min(hard, MAX_FILES)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _serve(data_dir: Path, port: int, region_id: str) -> None:
    store = _open_state(data_dir)
    identity = load_identity(store, region_id)
    listener = _bind(store, port)
    endpoint = f"127.0.0.1:{listener.getsockname()[1]}"
    cloud = Cloud(
        data_dir=data_dir,
        store=store,
        identity=identity,
        endpoint=endpoint,
        clock=time.time,
        services=SERVICES,
        terms=Terms.load(data_dir),
    )
    board = FaultBoard(cloud)
    app = App(cloud, _metadata_service(cloud), FaultDoor(cloud, board))
    # What it tells of the instances is known once they were taken up.
    describe = cache(partial(_describe, cloud))
    server = _make_server(app, server_context(data_dir), data_dir, describe)
    try:
        # Connections wait in the listener's queue until the server runs, so what starts here may already call.
        cloud.start()
        dismiss_orphans(data_dir)
        sweep_folders(cloud)
        board.start()
        write_info(describe())
        _announce(describe())
        server.run(sockets=[listener])
    finally:
        app.close()
        board.close()
        cloud.stop()


def _open_state(data_dir: Path) -> Store:
    """Open the state of a cloud's folder; one that is not there is begun.

    Raises:
        LocalCloudError: It was emptied, as by a copy that had no room, or a newer Steelyard wrote it.
    """
    path = data_dir / _STATE_NAME
    # A start that was killed may leave an empty file as well, but before it makes the certificates.
    if path.exists() and not path.stat().st_size and CertificateFiles.of(data_dir).folder.exists():
        raise LocalCloudError(
            f"the state {_STATE_NAME} is empty, though a cloud has lived on {data_dir}",
            "put a good copy of it in its place, or delete it to begin anew",
        )
    return Store(path)


def _unreadable(err: sqlite3.Error) -> LocalCloudError:
    """Tell that the state cannot be read or written."""
    if isinstance(err, sqlite3.OperationalError):
        return LocalCloudError(
            f"the state {_STATE_NAME} cannot be used: {err}",
            "see whether the disk is full, and whose the file is",
        )
    return LocalCloudError(
        f"the state {_STATE_NAME} cannot be read: {err}",
        "put a good copy of it in its place, or move the folder away and begin anew",
    )


def _keep_folder(data_dir: Path, describe: Callable[[], CloudInfo]) -> bool:
    """Keep the log short and `cloud.json` where it belongs; tell whether the folder is still there."""
    info = data_dir / INFO_NAME
    if not info.exists():
        # Where the whole folder is being deleted, nothing new may come into it.
        time.sleep(DELETION_S)
    if not (data_dir / LOCK_NAME).exists():
        return False
    try:
        keep_log_short(data_dir)
        if not info.exists():
            write_info(describe())
    except (OSError, LocalCloudError) as err:
        _log.error("the folder cannot be kept in order: %s", err)
    return True


def _make_server(
    app: App, tls: ssl.SSLContext, data_dir: Path, describe: Callable[[], CloudInfo]
) -> uvicorn.Server:
    async def look_after_folder() -> None:
        if not await asyncio.to_thread(_keep_folder, data_dir, describe):
            # Nobody could find this cloud any more to stop it.
            server.should_exit = True

    config = uvicorn.Config(
        app,
        lifespan="off",
        loop="steelyard.localcloud.door.eager_loop:new_loop",
        access_log=False,
        log_config=None,
        server_header=False,
        # Nothing stands before the cloud: where a call comes from, which policies ask for, no header may tell.
        proxy_headers=False,
        ws="none",
        timeout_graceful_shutdown=GRACE_S,
        timeout_keep_alive=KEEP_ALIVE_S,
        callback_notify=look_after_folder,
        timeout_notify=LOOK_FOR_FOLDER_S,
        # A quarter of a call's time less than with h11. Its 64 KiB for a URL hold the query into which the clients put
        # 16 KiB of user data, twice encoded.
        http="httptools",
    )
    server = Front(config, tls, app.answer_now)

    def end(signal_number: int, frame: FrameType | None) -> None:
        # It may come before the server runs, and uvicorn raises it once more after the server has ended.
        server.should_exit = True

    signal.signal(signal.SIGTERM, end)
    signal.signal(signal.SIGINT, end)
    return server


def _describe(cloud: Cloud) -> CloudInfo:
    ecs = cloud.service(EcsState)
    return CloudInfo(
        endpoint=cloud.endpoint,
        access_key_id=cloud.identity.access_key_id,
        access_key_secret=cloud.identity.access_key_secret,
        region_id=cloud.identity.region_id,
        account_id=cloud.identity.account_id,
        pid=os.getpid(),
        data_dir=str(cloud.data_dir),
        started_at=cloud.clock(),
        adopted=ecs.survivors.adopted,
        died=ecs.survivors.died,
        booted=ecs.survivors.booted,
        lost=tuple(f"{address} of {holder_id}" for address, holder_id in ecs.lost_addresses.items()),
    )


def _metadata_service(cloud: Cloud) -> MetadataService:
    ecs, sts, nas = cloud.services.get("ecs"), cloud.services["sts"], cloud.services.get("nas")
    assert isinstance(sts, StsService)
    return MetadataService(
        directory=ecs if isinstance(ecs, InstanceDirectory) else None,
        issuer=sts,
        key=cloud.identity.access_key_secret,
        clock=cloud.clock,
        files=nas if isinstance(nas, FileServer) else None,
        sign_identity=AuthoritySigner(CertificateFiles.of(cloud.data_dir)),
    )


def _bind(store: Store, port: int) -> socket.socket:
    """Bind the port asked for; where none is, the last one, so that addresses in answers stay good, or any."""
    last = store.get("endpoint", "port") or {}
    wanted = [port] if port else [int(str(last.get("port", 0))), 0]
    for candidate in wanted:
        # asyncio turns Nagle's algorithm off only where the socket names its protocol; with it a call takes 44 ms.
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            listener.bind(("127.0.0.1", candidate))
        except OSError as err:
            listener.close()
            if candidate == wanted[-1]:
                raise LocalCloudError(
                    f"port {candidate} of 127.0.0.1 cannot be had: {err.strerror}",
                    "choose another by --port, or none, which takes any free one",
                ) from err
            continue
        listener.listen(128)
        store.put("endpoint", "port", {"port": listener.getsockname()[1]})
        return listener
    raise AssertionError("unreachable")


def _announce(info: CloudInfo) -> None:
    sys.stdout.write(info.to_json() + "\n")
    sys.stdout.flush()
    # Whoever reads the line closes its end; later output goes where errors go.
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())


if __name__ == "__main__":
    sys.exit(main())
