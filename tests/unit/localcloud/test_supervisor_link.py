from __future__ import annotations

import os
import signal
import socket
import subprocess
import threading

from steelyard.localcloud.hosts import link
from steelyard.localcloud.hosts.link import SupervisorLink


def test_a_supervisor_that_ends_as_it_is_killed_is_still_the_one_that_is_meant(monkeypatch):
    ours, theirs = socket.socketpair()
    with theirs, subprocess.Popen(["/bin/sleep", "1000"]) as supervisor:
        found = SupervisorLink(supervisor.pid, ours, is_forged=False)
        waiting = threading.Thread(target=found.wait)
        send = signal.pidfd_send_signal

        def send_at_the_end(handle: int, number: int) -> None:
            send(handle, number)
            waiting.start()
            waiting.join(0.5)
            os.fstat(handle)

        monkeypatch.setattr(link.signal, "pidfd_send_signal", send_at_the_end)
        found.kill()
        waiting.join(30)
        assert not waiting.is_alive()
        found.kill()
