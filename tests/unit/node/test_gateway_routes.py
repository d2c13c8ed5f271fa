from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Callable
from typing import Any

import pytest

from steelyard.node.gateway import jobs as job_routes
from steelyard.node.packing import pack_files


def package_of(**files: str) -> str:
    return base64.b64encode(pack_files(files)).decode()


def body(**changes: Any) -> dict[str, Any]:
    return {"name": "hello", "script": "train.py", "package": package_of(**{"train.py": "pass"}), **changes}


def test_a_job_is_taken_runs_and_succeeds(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            answer = await it.http.post("/v1/jobs", json=body(args=["--steps", "3"]))
            job = answer.json()
            assert answer.status_code == 201
            assert answer.headers["location"] == f"/v1/jobs/{job['id']}"
            assert (job["state"], job["accepted_by"], job["args"]) == ("queued", "i-0", ["--steps", "3"])

            group = await it.group(job["id"])
            group.sink.write_lines(1, ["one", "two"])
            group.sink.write_events([{"kind": "step", "step": 1}, {"kind": "metric", "name": "loss"}])
            running = (await it.http.get(f"/v1/jobs/{job['id']}")).json()
            assert running["state"] == "running"
            assert [node["rank"] for node in running["nodes"]] == [0, 1]
            assert running["last_event"] == {"kind": "step", "step": 1}

            group.succeed()
            logs = await it.http.get(f"/v1/jobs/{job['id']}/logs", params={"follow": "true"})
            assert logs.text == "[rank 1] one\n[rank 1] two\n"
            events = (await it.http.get(f"/v1/jobs/{job['id']}/events")).text.split("\n")
            assert [json.loads(line)["kind"] for line in events if line] == ["step", "metric"]
            done = (await it.http.get("/v1/jobs")).json()["jobs"][0]
            assert (done["state"], done["exit_code"], done["error"]) == ("succeeded", 0, None)
            assert done["created_at"] == "2026-01-02T03:04:05.000Z"

    asyncio.run(story())


def test_what_a_job_adds_to_the_environment_is_never_shown(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            job = (await it.http.post("/v1/jobs", json=body(env={"API_KEY": "s3cret"}))).json()
            group = await it.group(job["id"])
            assert group.record.env == {"API_KEY": "s3cret"}
            for path in (f"/v1/jobs/{job['id']}", "/v1/jobs", "/metrics"):
                assert "s3cret" not in (await it.http.get(path)).text

    asyncio.run(story())


def test_a_stream_of_logs_goes_on_until_the_job_is_cancelled(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            job = (await it.http.post("/v1/jobs", json=body())).json()
            group = await it.group(job["id"])
            following = asyncio.create_task(it.http.get(f"/v1/jobs/{job['id']}/logs?follow=true"))
            group.sink.write_lines(0, ["working"])
            cancelled = (await it.http.delete(f"/v1/jobs/{job['id']}")).json()
            assert cancelled["state"] == "cancelled"
            assert (await following).text == "[rank 0] working\n"
            again = (await it.http.delete(f"/v1/jobs/{job['id']}")).json()
            assert again == cancelled

    asyncio.run(story())


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"colour": "red"}, "colour: Extra inputs are not permitted"),
        ({"num_nodes": 0}, "num_nodes: Input should be greater than or equal to 1"),
        ({"num_nodes": 5}, "num_nodes: 5 are asked for, 2 are alive"),
        ({"node_ids": ["i-9"]}, "node_ids: no living node i-9"),
        ({"node_ids": ["i-0", "i-0"]}, "node_ids names a node twice"),
        ({"node_ids": ["i-0"], "num_nodes": 2}, "num_nodes is 2, node_ids names 1"),
        ({"nproc_per_node": 0}, "nproc_per_node: Input should be greater than or equal to 1"),
        (
            {"checkpoint": "a/b"},
            "checkpoint: 'a/b' is none of an absolute path, ~/FOLDER and oss://BUCKET/PREFIX",
        ),
        (
            {"checkpoint": "~"},
            "checkpoint: '~' is none of an absolute path, ~/FOLDER and oss://BUCKET/PREFIX",
        ),
        ({"checkpoint_every": 5}, "checkpoint_every and checkpoint_keep say nothing without checkpoint"),
        ({"peer_timeout_s": 0.5}, "peer_timeout_s: Input should be greater than or equal to 1"),
        ({"balance": "luck"}, "balance: Input should be 'speed' or 'equal'"),
        ({"env": {"RANK": "1"}}, "env: RANK is set by the launcher"),
        ({"env": {"a=b": "1"}}, "env: 'a=b' is not a name of an environment variable"),
        ({"name": ""}, "name: String should have at least 1 character"),
        ({"script": "other.py"}, "the package does not hold other.py"),
        ({"script": "../train.py"}, "script '../train.py' is not a path inside the package"),
        ({"package": "not base64!"}, "package: not base64: Only base64 data is allowed"),
        (
            {"package": base64.b64encode(b"no tar").decode()},
            "the package cannot be unpacked: not a gzip file",
        ),
    ],
)
def test_a_job_that_cannot_be_is_refused_with_the_reason(
    bench: Callable[..., Any], changes: dict[str, Any], message: str
) -> None:
    async def story() -> None:
        async with bench() as it:
            answer = await it.http.post("/v1/jobs", json=body(**changes))
            assert answer.status_code == 422
            assert answer.json()["error"]["message"] == message
            assert (await it.http.get("/v1/jobs")).json() == {"jobs": []}

    asyncio.run(story())


def test_every_mistake_of_a_request_is_named_at_once(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            answer = await it.http.post("/v1/jobs", json={"num_nodes": -1})
            message = answer.json()["error"]["message"]
            assert all(name in message for name in ("name", "script", "package", "num_nodes"))

    asyncio.run(story())


def test_a_body_larger_than_a_package_may_be_is_not_read(
    bench: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(job_routes, "MAX_BODY_BYTES", 1000)

    async def chunks() -> Any:
        for _ in range(100):
            yield b"x" * 100

    async def story() -> None:
        async with bench() as it:
            assert (await it.http.post("/v1/jobs", content=b"x" * 2000)).status_code == 413
            assert (await it.http.post("/v1/jobs", content=chunks())).status_code == 413

    asyncio.run(story())


def test_an_unknown_job_and_an_unknown_path_are_404_in_the_same_form(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            for path in ("/v1/jobs/job-0", "/v1/jobs/job-0/logs", "/v1/jobs/job-0/events", "/v2"):
                answer = await it.http.get(path)
                assert answer.status_code == 404
                assert set(answer.json()["error"]) == {"message", "hint"}
            assert (await it.http.put("/v1/jobs")).status_code == 405

    asyncio.run(story())


def test_a_node_that_drains_is_unhealthy_and_takes_no_job(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            it.health.drain()
            health = await it.http.get("/healthz")
            assert health.status_code == 503
            assert health.json() == {"status": "unavailable", "node_id": "i-0", "reason": "draining"}
            answer = await it.http.post("/v1/jobs", json=body())
            assert answer.status_code == 503
            assert answer.json()["error"]["message"] == "this node takes no jobs: draining"

    asyncio.run(story())


def test_without_the_head_a_gateway_still_answers(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            it.calls.is_cut = True
            assert (await it.http.get("/v1/jobs")).status_code == 503
            metrics = await it.http.get("/metrics")
            assert metrics.status_code == 200
            assert "steelyard_nodes_alive NaN" in metrics.text

    asyncio.run(story())


def test_metrics_count_requests_jobs_and_nodes(bench: Callable[..., Any]) -> None:
    async def story() -> None:
        async with bench() as it:
            job = (await it.http.post("/v1/jobs", json=body())).json()
            group = await it.group(job["id"])
            group.sink.write_events([{"kind": "step", "samples_per_s": 390.5, "is_imitated": True}])
            await it.http.get("/healthz", headers={"Authorization": ""})
            text = (await it.http.get("/metrics")).text
            assert "steelyard_gateway_jobs_accepted_total 1.0" in text
            assert 'steelyard_gateway_requests_total{route="get_health",status="200"} 1.0' in text
            assert "steelyard_nodes_alive 2.0" in text
            assert f'steelyard_job_samples_per_s{{is_imitated="true",job_id="{job["id"]}"}} 390.5' in text
            assert "steelyard_node_healthy 1.0" in text
            assert 'bind_shim="true"' in text

    asyncio.run(story())


def test_metrics_show_each_workers_part_of_a_step_and_what_balancing_gained(
    bench: Callable[..., Any],
) -> None:
    async def story() -> None:
        async with bench() as it:
            job = (await it.http.post("/v1/jobs", json=body())).json()
            group = await it.group(job["id"])
            worker = {"rank": 1, "node_id": "i-1", "share": 7, "compute_s": 0.25, "wait_s": 0.05}
            step = {"kind": "step", "step": 3, "loss": None, "eta_s": 12.5, "nodes": [worker]}
            group.sink.write_events(
                [{**step, "seconds": 0.5, "equal_s": 0.5}, {**step, "seconds": 0.25, "equal_s": 1.0}]
            )
            text = (await it.http.get("/metrics")).text
            labels = f'is_imitated="false",job_id="{job["id"]}"'
            assert f"steelyard_job_eta_seconds{{{labels}}} 12.5" in text
            assert f"steelyard_job_balance_speedup{{{labels}}} 2.0" in text
            assert "steelyard_job_loss{" not in text
            assert f'steelyard_worker_wait_seconds{{{labels},node_id="i-1",rank="1"}} 0.05' in text
            assert f'steelyard_worker_share{{{labels},node_id="i-1",rank="1"}} 7.0' in text
            gain = (await it.http.get(f"/v1/jobs/{job['id']}")).json()["gain"]
            assert (gain["num_steps"], gain["speedup"], gain["is_estimate"]) == (2, 2.0, True)
            assert gain["saved_s"] == 0.75

            group.succeed()
            await it.wait_for(lambda: it.service._queue.record(job["id"]).state.is_final)
            assert "steelyard_job_step{" not in (await it.http.get("/metrics")).text
            kept = next(each for each in it.service._store.load() if each.id == job["id"])
            assert kept.gain.num_steps == 2

    asyncio.run(story())
