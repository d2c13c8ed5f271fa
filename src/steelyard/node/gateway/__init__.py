"""The HTTP API that every node serves: a job can be given to any of them."""
