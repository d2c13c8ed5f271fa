"""What HAProxy and the process for datagrams share: whom they let in, servers' health, how they are kept running."""
