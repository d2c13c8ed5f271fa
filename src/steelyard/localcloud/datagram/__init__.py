"""Balancing of UDP, which HAProxy does not do: a process that passes datagrams on between clients and servers.

The first datagram of a client's address and port chooses a server, and all others follow it until the session has been
idle for long, so that a server sees one source for each client. It is user-space Python on one core: a stand-in for the
cloud's UDP listeners in what they do, not in how fast they do it.
"""
