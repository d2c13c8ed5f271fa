from __future__ import annotations

import asyncio
import os
import signal
import sys
import textwrap
import time
from pathlib import Path

import psutil

from steelyard.training.agent import WorkerAgent, WorkerSpec, interface_of, worker_environment
from steelyard.training.worker import MAX_LINE_BYTES, WorkerProcess, WorkerReport

DEADLINE_S = 30.0


def worker(tmp_path: Path, code: str) -> WorkerProcess:
    (tmp_path / "script.py").write_text(textwrap.dedent(code))
    return WorkerProcess(
        [sys.executable, "-S", "-u", "script.py"],
        folder=tmp_path,
        environment={"EVENTS": str(tmp_path / "events.jsonl")},
        events_path=tmp_path / "events.jsonl",
    )


async def read_to_end(process: WorkerProcess) -> WorkerReport:
    lines, events = [], []
    while True:
        report = await process.report(DEADLINE_S)
        lines += report.lines
        events += report.events
        if report.exit_code is not None:
            return WorkerReport(lines=lines, events=events, exit_code=report.exit_code)


def run(tmp_path: Path, code: str) -> WorkerReport:
    async def story() -> WorkerReport:
        process = worker(tmp_path, code)
        process.start()
        return await read_to_end(process)

    return asyncio.run(story())


def is_gone(pid: int) -> bool:
    try:
        return psutil.Process(pid).status() == psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return True


def wait_until_gone(pid: int) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while not is_gone(pid):
        assert time.monotonic() < deadline, f"process {pid} is still there"
        time.sleep(0.01)


def test_both_outputs_the_events_and_the_exit_code_are_reported(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        """
        import os, sys
        print("out"); print("err", file=sys.stderr); print()
        with open(os.environ["EVENTS"], "a") as file:
            file.write('{"kind": "step"}\\nnot json\\n[1]\\n{"kind": "result"}\\n{"half')
        sys.stdout.write("no line end")
        sys.exit(7)
        """,
    )
    assert list(report.lines) == ["out", "err", "", "no line end"]
    assert [event["kind"] for event in report.events] == ["step", "result"]
    assert report.exit_code == 7


def test_a_flood_of_output_comes_through_whole_and_in_order(tmp_path: Path) -> None:
    report = run(tmp_path, "for i in range(100_000): print('line', i, 'x' * 40)")
    assert len(report.lines) == 100_000
    assert report.lines[99_999].startswith("line 99999 ")


def test_what_a_script_wrote_last_waits_for_its_reader(tmp_path: Path) -> None:
    # More than a worker keeps and reads at once (1 MiB and 64 KiB), and less than would hold the script up (128 KiB).
    num_lines = 1150

    async def story() -> WorkerReport:
        process = worker(tmp_path, f"for i in range({num_lines}): print('x' * 1000)")
        process.start()
        await process._is_done.wait()
        return await read_to_end(process)

    assert len(asyncio.run(story()).lines) == num_lines


def test_a_line_without_end_is_cut_into_pieces(tmp_path: Path) -> None:
    report = run(tmp_path, f"import sys; sys.stdout.write('x' * {3 * MAX_LINE_BYTES + 5})")
    assert sum(len(line) for line in report.lines) == 3 * MAX_LINE_BYTES + 5
    assert max(len(line) for line in report.lines) <= MAX_LINE_BYTES


def test_a_worker_that_ignores_sigterm_is_killed_after_the_grace(tmp_path: Path) -> None:
    async def story() -> None:
        process = worker(
            tmp_path,
            """
            import signal, time
            signal.signal(signal.SIGTERM, lambda *_: print("no", flush=True))
            print("up")
            while True: time.sleep(60)
            """,
        )
        process.start()
        assert list((await process.report(DEADLINE_S)).lines) == ["up"]
        await process.stop(grace_s=2.0)  # in which it gets so far as to say no
        report = await read_to_end(process)
        assert (list(report.lines), report.exit_code) == (["no"], -signal.SIGKILL)

    asyncio.run(story())


def test_what_a_script_starts_ends_with_it(tmp_path: Path) -> None:
    report = run(
        tmp_path,
        """
        import subprocess, sys
        child = subprocess.Popen([sys.executable, "-S", "-c", "import time; time.sleep(600)"])
        print(child.pid)
        """,
    )
    assert report.exit_code == 0
    wait_until_gone(int(report.lines[0]))


def test_a_worker_dies_with_the_process_that_started_it(tmp_path: Path) -> None:
    starter = tmp_path / "starter.py"
    starter.write_text(
        textwrap.dedent(
            f"""
            import asyncio, os, sys
            from pathlib import Path
            from steelyard.training.worker import WorkerProcess

            async def story():
                process = WorkerProcess(
                    [sys.executable, "-c", "import os, time; print(os.getpid()); time.sleep(600)"],
                    folder=Path({str(tmp_path)!r}), environment={{"PYTHONUNBUFFERED": "1"}}, events_path=None)
                process.start()
                print((await process.report({DEADLINE_S})).lines[0], flush=True)
                os.kill(os.getpid(), 9)

            asyncio.run(story())
            """
        )
    )

    async def story() -> int:
        process = await asyncio.create_subprocess_exec(
            sys.executable, str(starter), stdout=asyncio.subprocess.PIPE
        )
        output, _ = await process.communicate()
        return int(output)

    wait_until_gone(asyncio.run(story()))


def spec(**changes: object) -> WorkerSpec:
    values: dict[str, object] = {
        "run_id": "job-000000000001",
        "rank": 1,
        "world_size": 3,
        "master_address": "127.64.0.10",
        "master_port": 4567,
        "script": "a.py",
        "args": (),
        "node_id": "i-1",
        "balance": "equal",
    }
    return WorkerSpec(**{**values, **changes})  # type: ignore[arg-type]


def test_a_worker_gets_torchruns_variables_and_steelyards_and_none_of_rays() -> None:
    base = {
        "PATH": "/bin",
        "RAY_AUTH_TOKEN_PATH": "/t",
        "OMP_NUM_THREADS": "9",
        "STEELYARD_METADATA_URL": "http://x",
    }
    made = worker_environment(
        base,
        spec(imitated_speed=0.25, environment={"MINE": "1", "OMP_NUM_THREADS": "2"}),
        address="127.64.0.11",
        events_path=Path("/e"),
    )
    assert (made["RANK"], made["WORLD_SIZE"], made["LOCAL_RANK"], made["LOCAL_WORLD_SIZE"]) == (
        "1",
        "3",
        "0",
        "1",
    )
    assert (made["MASTER_ADDR"], made["MASTER_PORT"]) == ("127.64.0.10", "4567")
    assert (made["STEELYARD_NODE_ID"], made["STEELYARD_BALANCE"]) == ("i-1", "equal")
    assert float(made["STEELYARD_IMITATED_SPEED"]) == 0.25
    assert (made["PATH"], made["MINE"], made["OMP_NUM_THREADS"]) == ("/bin", "1", "2")
    assert made["STEELYARD_METADATA_URL"] == "http://x"  # where a script finds the key to its checkpoints
    assert not [name for name in made if name.startswith("RAY_")]
    real = worker_environment({}, spec(), address="10.64.0.11", events_path=Path("/e"))
    assert "STEELYARD_IMITATED_SPEED" not in real
    assert int(real["OMP_NUM_THREADS"]) == os.cpu_count()


def test_several_workers_of_a_node_share_its_cores_and_know_their_places() -> None:
    placed = spec(rank=5, world_size=8, local_rank=1, local_world_size=4, group_rank=1, num_groups=2)
    made = worker_environment(
        {"CUDA_VISIBLE_DEVICES": "0,1,2,3"}, placed, address="10.64.0.11", events_path=Path("/e")
    )
    names = ("RANK", "LOCAL_RANK", "LOCAL_WORLD_SIZE", "GROUP_RANK", "GROUP_WORLD_SIZE")
    assert [made[name] for name in names] == ["5", "1", "4", "1", "2"]
    assert made["CUDA_VISIBLE_DEVICES"] == "0,1,2,3"
    assert int(made["OMP_NUM_THREADS"]) == max((os.cpu_count() or 1) // 4, 1)


def test_every_loopback_address_is_on_the_loopback_interface() -> None:
    assert interface_of("127.64.3.4") == interface_of("127.0.0.1") is not None
    assert interface_of("203.0.113.7") is None


def test_an_agent_keeps_the_folders_of_the_last_jobs_only(tmp_path: Path) -> None:
    from steelyard.node.packing import pack_files

    package = pack_files({"a.py": "print('done')"})

    async def story() -> None:
        agent = WorkerAgent("127.0.0.1", tmp_path / "work")
        assert await agent.free_port() > 0
        for index in range(7):
            run_id = f"job-{index:012x}"
            await agent.start(spec(run_id=run_id, rank=0), package)
            lines: list[str] = []
            while (report := await agent.read(run_id, 0, DEADLINE_S)).exit_code is None:
                lines += report.lines
            assert [*lines, *report.lines] == ["done"]
            await agent.stop(run_id, 0, DEADLINE_S)
        assert len(list((tmp_path / "work").iterdir())) == 5

    asyncio.run(story())
