"""Server Load Balancer, the classic one: load balancers, listeners, server groups, health."""
