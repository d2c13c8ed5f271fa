"""Actions that were called and are not served: counted, so that what a program lacks is told and not guessed."""

from __future__ import annotations

import http.client
import json
from dataclasses import asdict, dataclass

from steelyard.errors import LocalCloudError
from steelyard.localcloud.store import Store

PATH = "/steelyard/unserved-actions"
"""Where the cloud lists them, on its one port; the real cloud has nothing there."""

_KIND = "unserved_action"
_MAX_ACTIONS = 1000
_TIMEOUT_S = 10.0


@dataclass(frozen=True, kw_only=True)
class UnservedAction:
    """One action that somebody called in vain.

    Attributes:
        product: Code of the product whose API has it; empty where the vendor has no such action.
        version: Version that was asked for.
        action: Its name.
        num_calls: How often it was called since the cloud was made.
    """

    product: str
    version: str
    action: str
    num_calls: int


class UnservedActions:
    """Counts calls of actions that nobody serves; the 1000 oldest are kept.

    Args:
        store: The cloud's state.
    """

    def __init__(self, store: Store) -> None:
        self._store = store

    def count(self, product: str, version: str, action: str) -> None:
        """Count one call."""
        with self._store.transaction():
            action_id = f"{version}/{action}"[:200]
            known = self._store.get(_KIND, action_id)
            if known is None and len(self._store.list(_KIND)) >= _MAX_ACTIONS:
                return
            num_calls = int(str((known or {}).get("num_calls", 0))) + 1
            entry = UnservedAction(
                product=product, version=version[:40], action=action[:160], num_calls=num_calls
            )
            self._store.put(_KIND, action_id, asdict(entry))

    def list(self) -> list[UnservedAction]:
        """Give them, the first to be called first."""
        return [UnservedAction(**body) for body in self._store.list(_KIND)]  # type: ignore[arg-type]


def read_unserved(endpoint: str) -> list[UnservedAction]:
    """Ask a running cloud for them.

    Args:
        endpoint: Its host and port.

    Raises:
        LocalCloudError: It does not answer.
    """
    connection = http.client.HTTPConnection(endpoint, timeout=_TIMEOUT_S)
    try:
        connection.request("GET", PATH)
        entries = json.loads(connection.getresponse().read())
    except (OSError, http.client.HTTPException, ValueError) as err:
        raise LocalCloudError(f"the local cloud at {endpoint} does not answer: {err}") from err
    finally:
        connection.close()
    return [UnservedAction(**entry) for entry in entries]
