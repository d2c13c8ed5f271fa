"""How a proxy deals with a worker that ends before it answers; a master of the test's own leaves it without one."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from steelyard.localcloud.proxy.process import HaproxyProcess

LISTED = "# workers\n7 worker\n# old workers\n{old}# programs\n"


class Master:
    """Answers `show proc`, and swallows what is for the worker 5, which is then listed no more."""

    def __init__(self, path: Path) -> None:
        self.asked: list[str] = []
        self._held: list[socket.socket] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(path))
        self._listener.listen()
        self._thread = threading.Thread(target=self._serve)
        self._thread.start()

    def _serve(self) -> None:
        while True:
            connection, _ = self._listener.accept()
            text = connection.recv(1000).decode().strip()
            if text == "end":
                connection.close()
                return
            is_first = not self.asked
            self.asked.append(text)
            if text.startswith("@!5"):
                self._held.append(connection)
            else:
                connection.sendall(LISTED.format(old="5 worker\n" if is_first else "").encode())
                connection.close()

    def close(self, path: Path) -> None:
        with socket.socket(socket.AF_UNIX) as connection:
            connection.connect(str(path))
            connection.sendall(b"end\n")
        self._thread.join()
        for one in (*self._held, self._listener):
            one.close()


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "commands.sock"


@pytest.fixture
def master(path: Path) -> Iterator[Master]:
    master = Master(path)
    yield master
    master.close(path)


def test_a_worker_that_ends_before_it_answers_had_nothing_to_close(
    tmp_path: Path, path: Path, master: Master
) -> None:
    process = HaproxyProcess("lb-1", tmp_path, tmp_path / "haproxy.cfg", on_end=lambda: None)
    process._socket_path = path
    process.close_through({"tcp-8000"})
    assert master.asked == ["show proc", "@!5 show sess", "show proc"]
