"""The gateway's client: what the CLI and the demo use to reach a cluster through its load balancer."""

from __future__ import annotations

import json
import ssl
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from types import TracebackType
from typing import Any

import httpx

from steelyard.errors import GatewayError, UsageError

FINAL_STATES = frozenset({"succeeded", "failed", "cancelled"})
"""States that a job does not leave."""

_PATIENCE_S = 60.0
"""How long no gateway may answer while a job is followed."""

_QUIET_S = 90.0
"""A stream without a byte for so long is opened again; the load balancer cuts it after 60 s."""

_PAUSE_S = 0.2


@dataclass(frozen=True, kw_only=True)
class GatewayTrust:
    """Whom a client believes to be the gateway that it calls by TLS.

    Attributes:
        ca_file: PEM file of the authorities that are trusted; the machine's own where it is None.
        server_name: The name that is looked for in the certificate; the host of the URL where it is None.
    """

    ca_file: str | None = None
    server_name: str | None = None

    def context(self) -> ssl.SSLContext:
        """Give what a connection needs to check a certificate.

        Raises:
            UsageError: The file cannot be read, or holds no certificate.
        """
        try:
            return ssl.create_default_context(cafile=self.ca_file)
        except (OSError, ssl.SSLError) as error:
            raise UsageError(
                f"{self.ca_file} holds no authorities to trust: {error}", "see `load_balancer.tls.ca_file`"
            ) from error


class GatewayClient:
    """Calls the gateway's HTTP API.

    Args:
        url: Base URL, such as `http://10.64.0.10:8000`.
        token: The cluster's bearer token.
        timeout_s: Longest wait for a connection or for the next bytes of an answer, in seconds.
        keeps_connections: Whether one connection serves several requests; a load balancer that balances connections
            spreads requests only over new ones.
        trust: Whom it believes to be the gateway, where the URL begins with `https`.

    Raises:
        UsageError: What it is to trust cannot be read.
    """

    def __init__(
        self,
        url: str,
        token: str,
        *,
        timeout_s: float = 30.0,
        keeps_connections: bool = True,
        trust: GatewayTrust | None = None,
    ) -> None:
        trust = trust or GatewayTrust()

        def name_server(request: httpx.Request) -> None:
            if trust.server_name is not None:
                request.extensions["sni_hostname"] = trust.server_name

        self.url = url
        self.token = token
        self._timeout_s = timeout_s
        self._http = httpx.Client(
            base_url=url,
            headers={"Authorization": f"Bearer {token}"},
            timeout=timeout_s,
            trust_env=False,
            limits=httpx.Limits(max_keepalive_connections=None if keeps_connections else 0),
            # For plain HTTP the authorities need not be loaded, which takes a while.
            verify=trust.context() if url.startswith("https") else False,
            event_hooks={"request": [name_server]},
        )

    def __enter__(self) -> GatewayClient:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the connections."""
        self._http.close()

    def health(self) -> Mapping[str, Any]:
        """Return what `/healthz` of one healthy gateway says."""
        return self._json("GET", "/healthz")

    def nodes(self) -> Sequence[Mapping[str, Any]]:
        """Return the cluster's nodes as Ray sees them."""
        return self._list("/v1/nodes", "nodes")

    def jobs(self) -> Sequence[Mapping[str, Any]]:
        """Return every job's record, newest last."""
        return self._list("/v1/jobs", "jobs")

    def job(self, job_id: str) -> Mapping[str, Any]:
        """Return one job's record."""
        return self._json("GET", f"/v1/jobs/{job_id}")

    def followed_job(self, job_id: str) -> Mapping[str, Any]:
        """Return the record of a job that is followed, whichever gateway has to tell it.

        Raises:
            GatewayError: No gateway answered for a minute, or the job is unknown.
        """
        patience = _Patience()
        while True:
            try:
                return self.job(job_id)
            except GatewayError as error:
                patience.bear(error)
            time.sleep(_PAUSE_S)

    def submit(self, request: Mapping[str, Any]) -> Mapping[str, Any]:
        """Submit a job.

        Args:
            request: Body of `POST /v1/jobs`: name, script, args, package, num_nodes, node_ids, balance, env.

        Returns:
            The new job's record, with the node that accepted it.
        """
        return self._json("POST", "/v1/jobs", body=request)

    def cancel(self, job_id: str) -> Mapping[str, Any]:
        """Cancel a job and return its record."""
        return self._json("DELETE", f"/v1/jobs/{job_id}")

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[str]:
        """Yield the lines of a job's log, and with `follow` those to come until the job ends."""
        path = f"/v1/jobs/{job_id}/logs"
        yield from self._follow(job_id, path) if follow else self._lines(path)

    def events(self, job_id: str, *, follow: bool = False) -> Iterator[Mapping[str, Any]]:
        """Yield a job's training events, and with `follow` those to come until the job ends."""
        path = f"/v1/jobs/{job_id}/events"
        lines = self._follow(job_id, path, skips_empty=True) if follow else self._lines(path)
        yield from (json.loads(line) for line in lines if line)

    def _follow(self, job_id: str, path: str, *, skips_empty: bool = False) -> Iterator[str]:
        """Yield a stream's lines until its job has ended, whichever gateway has to serve them.

        A load balancer cuts a stream that is quiet for long, and a node may die while it serves one: the stream is
        then opened again through the load balancer, and what was already seen is passed over.

        Raises:
            GatewayError: No gateway answered for a minute, or the job is unknown.
        """
        num_seen = 0
        patience = _Patience()
        while True:
            try:
                # Asked before the stream is read: one that was opened after the end of the job is whole.
                is_over = self.job(job_id)["state"] in FINAL_STATES
                patience = _Patience()
                lines = self._lines(path, follow=not is_over)
                for index, line in enumerate(line for line in lines if line or not skips_empty):
                    if index >= num_seen:
                        num_seen += 1
                        yield line
                if is_over:
                    return
            except GatewayError as error:
                patience.bear(error)
            time.sleep(_PAUSE_S)

    def _list(self, path: str, key: str) -> Sequence[Mapping[str, Any]]:
        items = self._json("GET", path)[key]
        if not isinstance(items, list):
            raise GatewayError(f"{self.url}{path} answered without a list of {key}")
        return items

    def _json(self, method: str, path: str, *, body: Mapping[str, Any] | None = None) -> Mapping[str, Any]:
        with self._mapped_errors():
            response = self._http.request(method, path, json=body)
            _raise_for_status(response)
            answer: Mapping[str, Any] = response.json()
            return answer

    def _lines(self, path: str, *, follow: bool = False) -> Iterator[str]:
        timeout = httpx.Timeout(self._timeout_s, read=_QUIET_S if follow else self._timeout_s)
        params = {"follow": str(follow).lower()}
        with (
            self._mapped_errors(),
            self._http.stream("GET", path, params=params, timeout=timeout) as response,
        ):
            if response.is_error:
                response.read()
            _raise_for_status(response)
            yield from response.iter_lines()

    @contextmanager
    def _mapped_errors(self) -> Iterator[None]:
        try:
            yield
        except httpx.TransportError as error:
            hint = "see `steelyard status` for the nodes' health"
            if "CERTIFICATE_VERIFY_FAILED" in str(error):
                hint = "see `load_balancer.tls.ca_file` and `server_name` in the cluster file, and run `steelyard up`"
            raise GatewayError(f"no gateway answers at {self.url}: {error}", hint=hint) from error
        except json.JSONDecodeError as error:
            raise GatewayError(f"{self.url} did not answer with JSON: {error}") from error


class _Patience:
    """Bears that no gateway answers for a while, which begins with the first that does not."""

    def __init__(self) -> None:
        self._since: float | None = None

    def bear(self, error: GatewayError) -> None:
        """Bear one more error, or raise it: it does not pass, or has not for too long."""
        now = time.monotonic()
        self._since = self._since or now
        if error.status not in (0, 502, 503, 504) or now - self._since > _PATIENCE_S:
            raise error


def _raise_for_status(response: httpx.Response) -> None:
    if not response.is_error:
        return
    status = response.status_code
    try:
        detail = response.json()["error"]
        message, hint = detail["message"], detail.get("hint", "")
    except (ValueError, KeyError, TypeError):
        # A load balancer answers with a page of its own.
        message, hint = f"{response.url} answered {response.reason_phrase} ({status})", ""
        if status == httpx.codes.SERVICE_UNAVAILABLE:
            message = f"the load balancer at {response.url.host} has no healthy node to pass the request to"
    if status == httpx.codes.SERVICE_UNAVAILABLE:
        hint = hint or "see `steelyard status` for the nodes' health"
    raise GatewayError(message, hint, status=status)
