"""Steelyard: load-balanced clusters for distributed AI training on Alibaba Cloud."""

__version__ = "0.1.0"
