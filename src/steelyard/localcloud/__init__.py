"""A local Alibaba Cloud: real API calls, real instances, real load balancers, on one machine.

It is reached over the wire alone, as the real cloud is: `daemon.start` gives an endpoint and an access key, and any
Alibaba Cloud SDK does the rest.
"""
