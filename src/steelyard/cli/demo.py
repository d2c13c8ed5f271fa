"""`steelyard demo`."""

from __future__ import annotations

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from steelyard.cli.console import print_json, stderr
from steelyard.cli.progress import DeployProgress
from steelyard.cli.train_progress import TrainProgress
from steelyard.cluster import Home
from steelyard.demo import Demo
from steelyard.errors import UsageError

DEFAULT_SCRIPT = Path("examples/char_lm/train.py")


def demo(*, script: Path = DEFAULT_SCRIPT) -> None:
    """Bring a cluster up on this machine, train on it, measure, and take it down.

    Prints the story on stderr, and its report as one JSON object on stdout.

    **Example**

    `steelyard demo`

    Args:
        script: The training script, `examples/char_lm/train.py` or one that takes its options and reports as it does.
    """
    if not script.is_file():
        raise UsageError(
            f"{script} is not a file", hint="run the demo from a checkout, or name the script with --script"
        )
    with tempfile.TemporaryDirectory(prefix="steelyard-demo-") as folder, _Trainings() as trainings:
        report = Demo(
            home=Home(root=Path(folder)),
            script=script.resolve(),
            on_step=DeployProgress(),
            on_event=trainings,
            say=trainings.say,
        ).run()
    print_json(report)


class _Trainings:
    """One progress display at a time, for the job whose events arrive."""

    def __init__(self) -> None:
        self._name = ""
        self._progress: TrainProgress | None = None

    def __enter__(self) -> _Trainings:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def __call__(self, name: str, event: Mapping[str, Any]) -> None:
        if self._progress is None or name != self._name:
            self.close()
            self._name, self._progress = name, TrainProgress(name)
            self._progress.__enter__()
        self._progress(event)

    def say(self, words: str) -> None:
        """Print a line of the story."""
        self.close()
        stderr().print(f"[bold]»[/] {words}")

    def close(self) -> None:
        """End the display of the job that ran last."""
        if self._progress is not None:
            self._progress.__exit__(None, None, None)
            self._progress = None
