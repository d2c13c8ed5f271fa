"""A user's own Pulumi project: its file, its stacks' configuration and their secrets."""

from steelyard.deploy.project.project_file import Project, load_project
from steelyard.deploy.project.stack_file import load_config, stack_names

__all__ = ["Project", "load_config", "load_project", "stack_names"]
