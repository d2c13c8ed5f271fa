"""Faults on request: what goes wrong on a cloud, made to happen on the local one when somebody asks for it."""
