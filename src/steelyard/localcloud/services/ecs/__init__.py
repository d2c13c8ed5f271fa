"""Elastic Compute Service: instances, security groups, and what can be had where."""
