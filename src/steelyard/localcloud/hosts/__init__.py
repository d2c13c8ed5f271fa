"""Where instances really run: the `Host` seam, the loopback back end and the supervisor of their processes."""
