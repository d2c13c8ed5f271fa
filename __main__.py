"""The program that `pulumi up` runs; `Pulumi.yaml` names its settings."""

from steelyard.components.stack_config import declare_from_config

declare_from_config()
