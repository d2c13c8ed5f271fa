"""Who calls, and temporary keys of roles."""
