"""Which local cloud runs on a folder, as the folder says and as the cloud itself shows by its answer."""

from __future__ import annotations

import json
import socket
import ssl
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Self

from steelyard.localcloud import kin
from steelyard.localcloud.kept_file import write_kept

INFO_NAME = "cloud.json"
ANSWER_TIMEOUT_S = 30.0


@dataclass(frozen=True, kw_only=True)
class CloudInfo:
    """A running local cloud.

    Attributes:
        endpoint: Host and port of every product, e.g. `127.0.0.1:40123`; TLS and plain HTTP.
        access_key_id: Public part of its access key.
        access_key_secret: Secret part.
        region_id: Region of calls that name none.
        account_id: Its account, 16 digits.
        pid: Its process.
        data_dir: Folder of its state.
        started_at: Unix time.
        adopted: Instances that ran on when the cloud before it was killed, and were taken up.
        died: Instances that ended by themselves while there was no cloud, and are Stopped.
        booted: Instances that ended with the cloud before it, and are booted again.
        lost: Addresses that another local cloud took while there was none, each with the id of what had it.
    """

    endpoint: str
    access_key_id: str
    access_key_secret: str
    region_id: str
    account_id: str
    pid: int
    data_dir: str
    started_at: float
    adopted: tuple[str, ...] = ()
    died: tuple[str, ...] = ()
    booted: tuple[str, ...] = ()
    lost: tuple[str, ...] = ()

    def to_json(self) -> str:
        """Write it as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, text: str) -> Self:
        """Read what `to_json` wrote."""
        fields: dict[str, Any] = json.loads(text)
        for name in ("adopted", "died", "booted", "lost"):
            fields[name] = tuple(fields.get(name, ()))
        return cls(**fields)

    @property
    def is_alive(self) -> bool:
        """Whether its process has not ended."""
        process = kin.process_of(self.pid)
        return process is not None and bool(kin.alive([process]))

    def answers(self) -> bool:
        """Ask it: one that is dying, which takes some milliseconds, has its lock and its process id still.

        It is asked for a handshake of TLS, which waits for none of its threads and for no lock.
        """
        host, _, port = self.endpoint.rpartition(":")
        tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        tls.check_hostname, tls.verify_mode = False, ssl.CERT_NONE
        try:
            with (
                socket.create_connection((host, int(port)), ANSWER_TIMEOUT_S) as connection,
                tls.wrap_socket(connection),
            ):
                return True
        except OSError:
            return False


def write_info(info: CloudInfo) -> None:
    """Write `cloud.json`, readable by its owner alone, in one step."""
    write_kept(Path(info.data_dir) / INFO_NAME, info.to_json())


def read_info(data_dir: Path) -> CloudInfo | None:
    """Read what was written last; None where there is nothing, or nothing whole."""
    try:
        return CloudInfo.from_json((data_dir / INFO_NAME).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None


def living_info(data_dir: Path) -> CloudInfo | None:
    """Read `cloud.json`; None where it is that of an earlier cloud."""
    info = read_info(data_dir)
    return info if info is not None and info.is_alive else None
