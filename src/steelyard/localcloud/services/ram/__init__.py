"""Roles, users, groups, policies and the attachments between them."""
