"""HAProxy as a load balancer's data plane: its configuration, its process and its runtime interface."""
