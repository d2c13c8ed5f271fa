from __future__ import annotations

import socket
import threading

from steelyard.localcloud.hosts import cloud_door
from steelyard.localcloud.hosts.cloud_door import CloudDoor


def test_a_connection_that_is_on_its_way_as_the_door_closes_is_cut(monkeypatch):
    is_on_its_way, may_go_on = threading.Event(), threading.Event()
    connect = socket.create_connection

    def connect_later(*words: object, **settings: object) -> socket.socket:
        is_on_its_way.set()
        may_go_on.wait(30)
        return connect(*words, **settings)

    listener = socket.create_server(("127.0.0.1", 0))
    with (
        socket.create_server(("127.0.0.1", 0)) as cloud,
        connect(listener.getsockname(), timeout=30) as client,
    ):
        monkeypatch.setattr(cloud_door.socket, "create_connection", connect_later)
        door = CloudDoor(listener, cloud.getsockname())
        assert is_on_its_way.wait(30)
        door.close()
        may_go_on.set()
        assert client.recv(1) == b""
