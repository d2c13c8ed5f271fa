"""One call of the API, as the services take it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace

from steelyard.localcloud.wire.error import ApiError, not_served
from steelyard.localcloud.wire.signature import AccessKey


def dry_run_passed() -> ApiError:
    """Tell that a request with `DryRun` would have been carried out."""
    return ApiError("DryRunOperation", "Request validation has been passed with DryRun flag set.")


@dataclass(frozen=True, kw_only=True)
class Request:
    """One call, checked and parsed.

    Attributes:
        action: Name of the action.
        params: Parameters by wire name, typed and nested by the schema; what was not sent is absent.
        region_id: The call's `RegionId`, else the cloud's own region; it exists.
        dry_run: Whether nothing may be changed.
        request_id: Id that the answer carries; empty where another service of the cloud makes the call.
        caller: Who signed the call.
        source_address: Address that the call came from; empty where another service makes it.
        is_secure: Whether it came over TLS.
    """

    action: str
    params: Mapping[str, object]
    region_id: str
    dry_run: bool
    request_id: str
    caller: AccessKey
    source_address: str = ""
    is_secure: bool = False

    def with_params(self, params: Mapping[str, object]) -> Request:
        """Give the call with further parameters."""
        return replace(self, params={**self.params, **params})

    @property
    def is_own(self) -> bool:
        """Whether another service of the cloud makes the call, as the one for scaling calls load balancers."""
        return not self.request_id

    def stop_if_dry_run(self) -> None:
        """End a dry run here, once all checks are done.

        What a handler writes to the store in a dry run is undone in any case; a handler that changes anything else
        (starts a process, claims an address) calls this first.

        Raises:
            ApiError: `DryRunOperation`, if this is a dry run.
        """
        if self.dry_run:
            raise dry_run_passed()

    def refuse_unserved(self, *names: str) -> None:
        """Refuse parameters of the action that the local cloud does not serve, where they say something.

        Raises:
            ApiError: `UnsupportedOperation`, with the parameter's name.
        """
        for name in names:
            if _says_something(self.params.get(name)):
                raise not_served(f"{name} in {self.action}")

    def may_mean(self, region_id: str) -> bool:
        """Tell whether what stands in a region is in that of the call, as far as it names one."""
        return self.text("RegionId") in ("", region_id)

    def text(self, name: str, default: str = "") -> str:
        """Give a text parameter."""
        return str(self.params.get(name, default))

    def number(self, name: str, default: int) -> int:
        """Give an integer parameter."""
        value = self.params.get(name, default)
        assert isinstance(value, int)
        return value

    def flag(self, name: str, default: bool = False) -> bool:
        """Give a boolean parameter."""
        return bool(self.params.get(name, default))

    def texts(self, name: str) -> list[str]:
        """Give a list of texts; a parameter that the schema calls text is split at its commas."""
        value = self.params.get(name) or []
        if isinstance(value, str):
            return [part.strip() for part in value.split(",") if part.strip()]
        assert isinstance(value, list)
        return [str(item) for item in value]

    def records(self, name: str) -> list[dict[str, object]]:
        """Give a list of nested parameters, e.g. `Tag`."""
        value = self.params.get(name) or []
        assert isinstance(value, list)
        return value


def _says_something(value: object) -> bool:
    """Tell whether a parameter is neither absent nor empty, zero or false, with all that is in it."""
    return any(map(_says_something, value.values())) if isinstance(value, dict) else bool(value)
