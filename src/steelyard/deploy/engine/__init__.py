"""A Pulumi engine in this process: it answers the SDK's calls, so that no CLI and no plugin is needed."""
