"""`/v1/jobs`."""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import JSONResponse, Response, StreamingResponse
from starlette.routing import Route

from steelyard.errors import GatewayError, UsageError
from steelyard.node.gateway.context import Gateway, gateway_of
from steelyard.node.gateway.model import JobRequest, parse_job_request
from steelyard.node.packing import MAX_PACKAGE_BYTES
from steelyard.training.package import check_package

MAX_BODY_BYTES = MAX_PACKAGE_BYTES * 4 // 3 + 1024 * 1024
"""Largest body of a request: a package in base64 and the rest, in bytes."""

_SUBMIT_TIMEOUT_S = 60.0
_CANCEL_TIMEOUT_S = 20.0
_FOLLOW_WAIT_S = 10.0
_READ_TIMEOUT_S = 20.0


async def submit_job(request: Request) -> Response:
    """Take a job and answer 201 with its record."""
    gateway = gateway_of(request)
    if not gateway.health.status.is_healthy:
        raise GatewayError(
            f"this node takes no jobs: {gateway.health.reason}", hint="ask another node", status=503
        )
    job = await asyncio.to_thread(_checked, await _read_body(request))
    fields = job.model_dump(mode="json", exclude={"package"})
    fields |= {"id": f"job-{secrets.token_hex(6)}", "accepted_by": gateway.identity.node_id}
    record = await gateway.queue.call("submit", timeout_s=_SUBMIT_TIMEOUT_S, job=fields, package=job.package)
    gateway.counters.jobs_accepted.inc()
    return JSONResponse(record, status_code=201, headers={"Location": f"/v1/jobs/{record['id']}"})


async def list_jobs(request: Request) -> Response:
    """Answer with all jobs, oldest first."""
    return JSONResponse({"jobs": await gateway_of(request).queue.call("jobs")})


async def get_job(request: Request) -> Response:
    """Answer with one job."""
    return JSONResponse(await gateway_of(request).queue.call("job", job_id=request.path_params["job_id"]))


async def cancel_job(request: Request) -> Response:
    """Cancel a job and answer with its record, once its workers have ended."""
    queue = gateway_of(request).queue
    job_id = request.path_params["job_id"]
    return JSONResponse(await queue.call("cancel", timeout_s=_CANCEL_TIMEOUT_S, job_id=job_id))


async def get_logs(request: Request) -> Response:
    """Stream a job's log; with `follow=true` until the job ends."""
    return await _stream(request, "read_log", "text/plain; charset=utf-8", keep_alive="")


async def get_events(request: Request) -> Response:
    """Stream a job's training events; with `follow=true` until the job ends, with an empty line when it is quiet."""
    return await _stream(request, "read_events", "application/x-ndjson", keep_alive="\n")


async def _stream(request: Request, method: str, media_type: str, *, keep_alive: str) -> Response:
    gateway = gateway_of(request)
    job_id = request.path_params["job_id"]
    follows = _flag(request, "follow")
    first = await gateway.queue.call(method, job_id=job_id, offset=0, max_wait_s=0.0)
    pieces = _pieces(gateway, method, job_id, first, follows=follows, keep_alive=keep_alive)
    return StreamingResponse(pieces, media_type=media_type, headers={"Cache-Control": "no-store"})


async def _pieces(
    gateway: Gateway, method: str, job_id: str, first: dict[str, Any], *, follows: bool, keep_alive: str
) -> AsyncIterator[str]:
    piece = first
    while True:
        if piece["text"] or keep_alive:
            yield piece["text"] or keep_alive
        if piece["is_end"] or (not follows and not piece["text"]):
            return
        try:
            piece = await gateway.queue.call(
                method,
                timeout_s=_READ_TIMEOUT_S,
                job_id=job_id,
                offset=piece["offset"],
                max_wait_s=_FOLLOW_WAIT_S if follows else 0.0,
            )
        except GatewayError:
            return  # the status is long sent; who follows sees that the job has not ended and asks again


def _checked(body: bytes) -> JobRequest:
    job = parse_job_request(body)
    archive = job.archive()
    if len(archive) > MAX_PACKAGE_BYTES:
        raise _too_large()
    try:
        check_package(archive, job.script)
    except UsageError as error:
        raise GatewayError(error.message, error.hint, status=422) from error
    return job


async def _read_body(request: Request) -> bytes:
    length = request.headers.get("content-length", "")
    if length.isdigit() and int(length) > MAX_BODY_BYTES:
        raise _too_large()
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > MAX_BODY_BYTES:
            raise _too_large()
    return bytes(body)


def _too_large() -> GatewayError:
    return GatewayError(
        f"the package is larger than {MAX_PACKAGE_BYTES // 2**20} MiB",
        hint="keep data and checkpoints out of the script's folder",
        status=413,
    )


def _flag(request: Request, name: str) -> bool:
    value = request.query_params.get(name, "false").lower()
    if value not in ("true", "false", "1", "0"):
        raise GatewayError(f"{name}: {value!r} is neither true nor false", status=422)
    return value in ("true", "1")


ROUTES = (
    Route("/v1/jobs", submit_job, methods=["POST"]),
    Route("/v1/jobs", list_jobs, methods=["GET"]),
    Route("/v1/jobs/{job_id}", get_job, methods=["GET"]),
    Route("/v1/jobs/{job_id}", cancel_job, methods=["DELETE"]),
    Route("/v1/jobs/{job_id}/logs", get_logs, methods=["GET"]),
    Route("/v1/jobs/{job_id}/events", get_events, methods=["GET"]),
)
