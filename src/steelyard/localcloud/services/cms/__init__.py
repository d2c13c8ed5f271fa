"""CloudMonitor: metrics put and measured, alarm rules that fire on them, contacts."""
