"""OSS: buckets and objects, on a wire of their own (REST and XML) behind the cloud's one port."""
