"""The bearer token."""

from __future__ import annotations

import hashlib
import hmac

from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from steelyard.node.gateway.problem import problem


class BearerAuth:
    """Lets a request through only where it brings the token.

    Args:
        app: The application behind it.
        token: The token.
        open_paths: Paths that are served without it.
    """

    def __init__(self, app: ASGIApp, *, token: str, open_paths: frozenset[str]) -> None:
        self._app = app
        self._digest = hashlib.sha256(token.encode()).digest()
        self._open_paths = open_paths

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] != "http" or scope["path"] in self._open_paths or self._is_allowed(scope):
            await self._app(scope, receive, send)
            return
        response = problem(
            401,
            "a valid bearer token is required",
            hint="`steelyard status --show-secrets` tells the cluster's token",
            headers={"WWW-Authenticate": 'Bearer realm="steelyard"'},
        )
        await response(scope, receive, send)

    def _is_allowed(self, scope: Scope) -> bool:
        scheme, _, given = Headers(scope=scope).get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            return False
        # Digests have one length, so the time that the comparison takes tells nothing of the token.
        digest = hashlib.sha256(given.strip().encode("utf-8", "surrogateescape")).digest()
        return hmac.compare_digest(digest, self._digest)
