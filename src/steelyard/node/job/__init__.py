"""Training jobs on the cluster: their records, their queue, and the Ray actor that holds both."""
