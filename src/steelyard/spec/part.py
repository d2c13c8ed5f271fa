"""The base of a spec and its parts."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Part(BaseModel):
    """Base of a spec and its parts."""

    model_config = ConfigDict(frozen=True, extra="forbid")
