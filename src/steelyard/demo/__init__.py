"""The demo: brings a cluster up on this machine, trains on it twice, measures, and takes it down."""

from steelyard.demo.scenario import Demo

__all__ = ["Demo"]
