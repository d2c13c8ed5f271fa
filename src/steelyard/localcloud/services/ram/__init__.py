"""Roles, policies and the attachments between them."""
