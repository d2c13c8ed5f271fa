"""Auto Scaling: groups of instances that keep their number by themselves."""
