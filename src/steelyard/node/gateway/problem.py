"""How the gateway says no: `{"error": {"message", "hint"}}`."""

from __future__ import annotations

from collections.abc import Mapping

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from steelyard.errors import GatewayError


def problem(
    status: int, message: str, *, hint: str = "", headers: Mapping[str, str] | None = None
) -> JSONResponse:
    """Return an error answer."""
    body = {"error": {"message": message, "hint": hint}}
    return JSONResponse(body, status_code=status, headers=dict(headers or {}))


async def answer_gateway_error(request: Request, error: Exception) -> Response:
    """Answer a `GatewayError` that a route raised."""
    assert isinstance(error, GatewayError)
    return problem(error.status or 500, error.message, hint=error.hint)


async def answer_http_error(request: Request, error: Exception) -> Response:
    """Answer an unknown path, a wrong method."""
    assert isinstance(error, HTTPException)
    message = f"{error.detail}: {request.method} {request.url.path}"
    return problem(error.status_code, message, headers=error.headers)
