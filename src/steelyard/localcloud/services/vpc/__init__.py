"""Virtual private clouds and their VSwitches."""
