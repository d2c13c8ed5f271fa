"""What is remembered of a cluster between two commands: its spec and its token."""

from __future__ import annotations

import json
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from steelyard.deploy import values
from steelyard.deploy.sealing import Sealer
from steelyard.errors import DeployError
from steelyard.spec import ClusterSpec

NUM_TOKEN_BYTES = 32
_KEY_FILE = "cluster.key"


@dataclass(frozen=True, kw_only=True)
class ClusterRecord:
    """A cluster's spec as of its last `up`, and the bearer token of its gateways.

    Attributes:
        spec: What was wanted.
        token: The token; encrypted where it lies.
        is_settled: Whether the last `up` or `down` that began has ended well.
    """

    spec: ClusterSpec
    token: str
    is_settled: bool = False

    @classmethod
    def new(cls, spec: ClusterSpec) -> ClusterRecord:
        """Return a record with a fresh token of 256 bits, in hexadecimal digits."""
        return cls(spec=spec, token=secrets.token_hex(NUM_TOKEN_BYTES))

    @classmethod
    def load(cls, path: Path) -> ClusterRecord | None:
        """Read a record, or return None where there is none.

        Raises:
            DeployError: The key that sealed the token is gone.
        """
        try:
            tree = json.loads(path.read_text(encoding="utf-8"))
            token = values.plain(_sealer(path).open(tree["token"]))
        except FileNotFoundError:
            return None
        except DeployError:
            if path.exists():
                raise
            return None  # the cluster was taken down at this moment
        return cls(spec=ClusterSpec.model_validate(tree["spec"]), token=token, is_settled=tree["is_settled"])

    def save(self, path: Path) -> None:
        """Write the record in one step, for its owner alone; the token is encrypted."""
        path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        tree = {
            "spec": self.spec.model_dump(mode="json"),
            "token": _sealer(path).seal(values.secret(self.token)),
            "is_settled": self.is_settled,
        }
        draft = path.with_suffix(".draft")
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(tree, indent=2) + "\n", encoding="utf-8")
        os.replace(draft, path)

    @staticmethod
    def remove(path: Path) -> None:
        """Remove a record and its key."""
        for file in (path, path.with_name(_KEY_FILE)):
            file.unlink(missing_ok=True)


def _sealer(path: Path) -> Sealer:
    return Sealer(path.with_name(_KEY_FILE))
