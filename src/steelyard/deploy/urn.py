"""Pulumi's names for resources: `urn:pulumi:<stack>::<project>::<parent type>$<type>::<name>`."""

from __future__ import annotations

STACK_TYPE = "pulumi:pulumi:Stack"
PROVIDER_PREFIX = "pulumi:providers:"


def make(*, stack: str, project: str, type_token: str, name: str, parent: str = "") -> str:
    """Return the URN of a resource.

    A parent's qualified type is put before the type, unless the parent is the stack itself (the rule of
    pulumi's `urn.New`).

    Args:
        stack: Name of the stack.
        project: Name of the project.
        type_token: The resource's type token.
        name: The resource's name.
        parent: The parent's URN, empty where there is none.
    """
    qualified = type_token
    if parent and type_of(parent) != STACK_TYPE:
        qualified = f"{qualified_type_of(parent)}${type_token}"
    return f"urn:pulumi:{stack}::{project}::{qualified}::{name}"


def is_urn(text: str) -> bool:
    """Whether the text has the form of a URN."""
    return text.startswith("urn:pulumi:") and len(text.split("::", 3)) == 4


def qualified_type_of(urn: str) -> str:
    """Return the type with those of its parents, `a:b:C$d:e:F`."""
    return urn.split("::", 3)[2]


def type_of(urn: str) -> str:
    """Return the type token alone."""
    return qualified_type_of(urn).rsplit("$", 1)[-1]


def name_of(urn: str) -> str:
    """Return the resource's name, which may itself hold `::`."""
    return urn.split("::", 3)[3]


def package_of(type_token: str) -> str:
    """Return the package of a type token: `alicloud` for `alicloud:vpc/network:Network`."""
    if type_token.startswith(PROVIDER_PREFIX):
        return type_token.removeprefix(PROVIDER_PREFIX)
    return type_token.split(":", 1)[0]


def is_provider(type_token: str) -> bool:
    """Whether the type is a provider's own."""
    return type_token.startswith(PROVIDER_PREFIX)
