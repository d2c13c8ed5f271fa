"""The cloud's products, and the form of a call of their API."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from alibabacloud_tea_openapi.models import Params


@dataclass(frozen=True, kw_only=True)
class Product:
    """One product of the cloud: its code and the version of its API.

    Attributes:
        code: Its code, as endpoints have it.
        version: Version of its API.
        is_regional: Whether each region has an endpoint of its own.
    """

    code: str
    version: str
    is_regional: bool = True


def call_form(product: Product, action: str) -> Params:
    """Return how the vendor's generic client sends an action of an RPC product."""
    # Imported here: the vendor's client takes half a second, which whoever calls nothing does without.
    from alibabacloud_tea_openapi.models import Params

    return Params(
        action=action,
        version=product.version,
        protocol="HTTPS",
        pathname="/",
        method="POST",
        auth_type="AK",
        style="RPC",
        req_body_type="formData",
        body_type="json",
    )
