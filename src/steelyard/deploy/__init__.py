"""Applies a Pulumi program to a cloud without the Pulumi CLI: engine, state and the Alibaba Cloud provider."""

from steelyard.deploy.engine.process import ProcessProgram
from steelyard.deploy.provider import AlicloudProvider
from steelyard.deploy.report import Message, OnStep, Output, Planned, Resource, Result, Secret, Step
from steelyard.deploy.stack import Stack

__all__ = [
    "AlicloudProvider",
    "Message",
    "OnStep",
    "Output",
    "Planned",
    "ProcessProgram",
    "Resource",
    "Result",
    "Secret",
    "Stack",
    "Step",
]
