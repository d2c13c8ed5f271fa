from __future__ import annotations

from steelyard.localcloud.proxy.process import explained
from steelyard.localcloud.proxy.session import old_workers, sessions_at

SESSIONS = """\
0x12064420: [29/Nov/2026:15:14:19.913059] id=1 proto=tcpv4 source=127.0.0.1:46002
  flags=0x4a, conn_retries=0, conn_exp=<NEVER>
  frontend=tcp-8000 (id=1 mode=tcp), listener=? (id=2) addr=127.93.1.3:8000
  backend=tcp-8000 (id=1 mode=tcp) addr=127.93.1.2:60518
  server=a (id=1) addr=127.93.1.2:8080
0x12064430: [29/Nov/2026:15:14:19.923059] id=2 proto=tcpv4 source=127.93.1.2:46003
  frontend=tcp-8000 (id=1 mode=tcp), listener=? (id=2) addr=127.93.1.4:8000
0x12063e90: [29/Nov/2026:15:14:19.988087] id=4 proto=sockpair source=unix:1
  frontend=GLOBAL (id=0 mode=tcp), listener=? (id=1)
"""
PROCESSES = """\
#<PID>          <type>          <reloads>       <uptime>        <version>
1316            master          2 [failed: 0]   0d00h00m00s     2.8.25
# workers
1324            worker          0               0d00h00m00s     2.8.25
# old workers
1320            worker          1               0d00h00m00s     2.8.25
1318            worker          2               0d00h00m01s     2.8.25
# programs
"""


def test_connections_are_told_by_the_address_that_they_came_in_at() -> None:
    assert sessions_at(SESSIONS, {"127.93.1.3"}) == ["0x12064420"]
    assert sessions_at(SESSIONS, {"127.93.1.3", "127.93.1.4"}) == ["0x12064420", "0x12064430"]
    assert sessions_at(SESSIONS, {"127.93.1.2"}) == []


def test_workers_that_were_replaced_are_told_from_the_one_that_serves() -> None:
    assert old_workers(PROCESSES) == [1320, 1318]
    assert old_workers(PROCESSES.replace("# old workers\n1320", "# programs\n1320")) == []


def test_whoever_may_not_take_a_low_port_is_told_which_ports_anybody_may_take() -> None:
    words = "[ALERT] (7) : Binding [haproxy.cfg:9]: cannot bind socket (Permission denied) for [127.0.0.9:80]"
    assert explained(words).startswith(words)
    assert "1024" in explained(words)
    assert explained("[ALERT] cannot bind socket (Address already in use)").endswith("in use)")
