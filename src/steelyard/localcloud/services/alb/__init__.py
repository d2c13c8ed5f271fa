"""Application Load Balancer: load balancers over several zones, server groups, listeners, rules, lists, jobs.

Facts without another source are those of the parameter descriptions in `alibabacloud_alb20200616` 1.3.3.
"""
