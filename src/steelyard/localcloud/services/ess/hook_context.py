"""Which lifecycle hooks a scaling activity passes by."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from steelyard.localcloud.service import Request


@dataclass(frozen=True, kw_only=True)
class HookContext:
    """What a call says of the lifecycle hooks of the activity that it begins.

    Attributes:
        is_off: Whether none is asked.
        ignored: Ids of those that are not asked.
    """

    is_off: bool = False
    ignored: tuple[str, ...] = ()


ALL: Final = HookContext()
"""All hooks are asked."""
NONE: Final = HookContext(is_off=True)
"""No hook is asked."""


def read_hook_context(request: Request) -> HookContext:
    """Read a call's `LifecycleHookContext`; without one all hooks are asked."""
    given = request.params.get("LifecycleHookContext")
    if not isinstance(given, dict):
        return ALL
    ignored = given.get("IgnoredLifecycleHookIds") or ()
    return HookContext(
        is_off=bool(given.get("DisableLifecycleHook")), ignored=tuple(str(one) for one in ignored)
    )
