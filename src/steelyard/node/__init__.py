"""What runs on an instance: the bootstrap, Ray's start-up, the gateway and the job queue."""
