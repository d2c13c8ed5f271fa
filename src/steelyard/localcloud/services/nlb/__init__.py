"""Network Load Balancer: load balancers over several zones, server groups, listeners, health, jobs.

Facts without another source are those of the parameter descriptions in `alibabacloud_nlb20220430` 4.1.3.
"""
