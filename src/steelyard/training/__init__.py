"""The torch side of Steelyard: `Balancer` for a training script, and the launcher that starts its workers.

Names are imported on first use, so that the launcher runs without importing torch.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from steelyard.training.balancer import Balancer
    from steelyard.training.loader import BalancedLoader

__all__ = ["BalancedLoader", "Balancer"]

_MODULES = {"BalancedLoader": "loader", "Balancer": "balancer"}


def __getattr__(name: str) -> Any:
    if name not in _MODULES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_MODULES[name]}"), name)
