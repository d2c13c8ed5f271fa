"""Checkpoints: the state of a training, written aside while it goes on, made good by a manifest."""
