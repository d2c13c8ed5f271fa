from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pytest

PATHS = ("/v1/jobs", "/v1/jobs/job-000000000000", "/v1/nodes", "/metrics", "/nothing-here")


def test_every_path_but_healthz_asks_for_the_token(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            del it.http.headers["Authorization"]
            assert (await it.http.get("/healthz")).status_code == 200
            for path in PATHS:
                answer = await it.http.get(path)
                assert answer.status_code == 401, path
                assert answer.headers["www-authenticate"].startswith("Bearer")
                assert answer.json()["error"]["message"] == "a valid bearer token is required"

    asyncio.run(story())


@pytest.mark.parametrize(
    "value",
    [
        "",
        "Bearer",
        "Bearer ",
        "Bearer t0ken",
        "Basic t0ken-of-the-cluster",
        "Bearer t0ken-of-the-clusteR",
        "Bearer \xff",
    ],
)
def test_a_wrong_token_is_refused(bench: Callable[..., Any], value: str) -> None:
    async def story() -> None:
        async with bench() as it:
            answer = await it.http.get("/v1/jobs", headers={"Authorization": value.encode("latin-1")})
            assert answer.status_code == 401

    asyncio.run(story())


def test_the_scheme_is_read_without_regard_to_case(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            answer = await it.http.get("/v1/jobs", headers={"Authorization": "bearer t0ken-of-the-cluster"})
            assert answer.status_code == 200

    asyncio.run(story())
