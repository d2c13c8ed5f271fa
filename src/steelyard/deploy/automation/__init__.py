"""Applies a Pulumi program to Alibaba Cloud with the Pulumi CLI, driven through Pulumi's Automation API."""

from steelyard.deploy.automation.command import find_command
from steelyard.deploy.automation.stack import PulumiStack

__all__ = ["PulumiStack", "find_command"]
