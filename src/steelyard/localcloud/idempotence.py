from __future__ import annotations

import hashlib
import json

from steelyard.localcloud.request import Request
from steelyard.localcloud.store import Store
from steelyard.localcloud.wire.error import ApiError, invalid_parameter

_KIND = "client_token"
_MAX_TOKENS = 1000
_LONGEST = dict.fromkeys(("ecs", "ess", "nas"), 64)
"""Letters of a token, of the products whose parameter descriptions tell; all take ASCII alone."""


class ClientTokens:
    """Answers a repeated call of a product, one with the same `ClientToken`, with the first one's answer.

    The last 1000 tokens are kept. It is used inside of the call's transaction, so a token is kept if its change is.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def recall(self, product: str, request: Request) -> dict[str, object] | None:
        """Give the answer of the first call, or None where this is the first.

        Raises:
            ApiError: `InvalidParameter` for a token that is none, or `IdempotentParameterMismatch` where the first call
                asked for something else.
        """
        token = request.text("ClientToken")
        if not token.isascii() or len(token) > _LONGEST.get(product, len(token)):
            raise invalid_parameter("ClientToken", token, "of up to 64 ASCII characters")
        entry = self._store.get(_KIND, _entry_id(product, request))
        if entry is None:
            return None
        if entry["fingerprint"] != _fingerprint(request):
            raise ApiError(
                "IdempotentParameterMismatch",
                "The request uses the same client token as a previous, but non-identical request.",
            )
        answer = entry["answer"]
        assert isinstance(answer, dict)
        return answer

    def keep(self, product: str, request: Request, answer: dict[str, object]) -> None:
        """Keep a first call's answer."""
        entry: dict[str, object] = {"fingerprint": _fingerprint(request), "answer": answer}
        self._store.put(_KIND, _entry_id(product, request), entry)
        self._store.trim(_KIND, _MAX_TOKENS)


def _entry_id(product: str, request: Request) -> str:
    return f"{product}/{request.action}/{request.text('ClientToken')}"


def _fingerprint(request: Request) -> str:
    text = json.dumps([request.region_id, request.params], sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()
