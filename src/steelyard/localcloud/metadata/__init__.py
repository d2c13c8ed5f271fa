"""The instance metadata service: what an instance is told of itself, and its signed identity."""
