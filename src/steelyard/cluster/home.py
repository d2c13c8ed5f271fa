"""Where one user's clusters live on this machine: a folder for each stack and one for the local cloud."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from steelyard import settings
from steelyard.errors import UsageError

RECORD_FILE = "cluster.json"
"""Name of the file that remembers a cluster from one command to the next."""


@dataclass(frozen=True, kw_only=True)
class Home:
    """The folder that holds every stack's state and the local cloud's data."""

    root: Path

    @classmethod
    def from_environment(cls, environment: Mapping[str, str]) -> Home:
        """Return the home that the environment names, `~/.steelyard` where it names none."""
        named = environment.get(settings.HOME)
        return cls(root=Path(named).expanduser() if named else Path.home() / ".steelyard")

    @property
    def cloud_dir(self) -> Path:
        """Data folder of the local cloud."""
        return self.root / "cloud"

    @property
    def folders(self) -> tuple[Path, ...]:
        """The folders that are made in it, keys among what they hold."""
        return self.cloud_dir, self._stacks_dir, self._projects_dir

    def stack_dir(self, name: str) -> Path:
        """Folder of one cluster's stack."""
        return self._stacks_dir / name

    def record_path(self, name: str) -> Path:
        """File that remembers one cluster from one command to the next."""
        return self.stack_dir(name) / RECORD_FILE

    def clusters(self) -> list[str]:
        """Return the names of the clusters that were brought up and not taken down."""
        return sorted(path.parent.name for path in self._stacks_dir.glob(f"*/{RECORD_FILE}"))

    def project_dir(self, project: str, stack: str) -> Path:
        """Folder of one stack of a user's own project."""
        return self._projects_dir / project / stack

    def project_stacks(self) -> list[str]:
        """Return the stacks of users' own projects that stand on the local cloud, as `project/stack`."""
        files = self._projects_dir.glob("*/*/*.json")
        return sorted(f"{path.parent.parent.name}/{path.parent.name}" for path in files)

    @property
    def _stacks_dir(self) -> Path:
        return self.root / "stacks"

    @property
    def _projects_dir(self) -> Path:
        return self.root / "projects"

    @property
    def is_empty(self) -> bool:
        """Whether nothing stands on the local cloud that this home knows of."""
        return not self.clusters() and not self.project_stacks()

    def only_cluster(self) -> str:
        """Return the name of the one cluster there is.

        Raises:
            UsageError: There is none, or there are several.
        """
        names = self.clusters()
        if not names:
            hint = "`steelyard up` brings one up"
            if projects := self.project_stacks():
                hint = f"the stack {', '.join(projects)} of a program stands: name its folder with --program"
            raise UsageError(f"no cluster stands under {self.root}", hint=hint)
        if len(names) > 1:
            raise UsageError(
                f"{len(names)} clusters stand: {', '.join(names)}", hint="name one with --cluster"
            )
        return names[0]
