"""Asks a running local cloud for faults."""

from __future__ import annotations

import http.client
import json
import re
import secrets
import time
from collections.abc import Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from steelyard.errors import LocalCloudError, UsageError
from steelyard.localcloud.cloud_info import CloudInfo
from steelyard.localcloud.faults.fault import PATH, Fault, Order
from steelyard.localcloud.log_file import LOG_NAME
from steelyard.localcloud.wire.message import WireRequest
from steelyard.localcloud.wire.signature import SCHEME, acs3_signature

_TIMEOUT_S = 60.0


class FaultClient:
    """Makes, lists and clears the faults of one cloud.

    Args:
        info: The running cloud.
    """

    def __init__(self, info: CloudInfo) -> None:
        self._info = info

    def make(self, order: Order) -> Fault:
        """Make a fault happen.

        Raises:
            UsageError: The order is wrong, or the cloud cannot do it.
            LocalCloudError: The cloud does not answer.
        """
        return Fault.from_body(self._call("POST", PATH, asdict(order))["fault"])

    def list(self) -> tuple[Fault, ...]:
        """Give the faults that are in force."""
        return tuple(Fault.from_body(body) for body in self._call("GET", PATH)["faults"])

    def clear(self, fault_id: str | None = None) -> tuple[Fault, ...]:
        """End a fault, or all of them, and give what was ended.

        Raises:
            UsageError: There is no such fault.
        """
        if fault_id is not None and not re.fullmatch(r"[\w-]+", fault_id, re.ASCII):
            raise UsageError(
                f"{fault_id!r} is no id of a fault", "`steelyard cloud fault list` shows those in force"
            )
        path = PATH if fault_id is None else f"{PATH}/{fault_id}"
        return tuple(Fault.from_body(body) for body in self._call("DELETE", path)["cleared"])

    def _call(self, method: str, path: str, tree: Mapping[str, Any] | None = None) -> dict[str, Any]:
        body = json.dumps(tree).encode() if tree is not None else b""
        connection = http.client.HTTPConnection(self._info.endpoint, timeout=_TIMEOUT_S)
        try:
            connection.request(method, path, body=body, headers=self._signed(method, path, body))
            answer = connection.getresponse()
            said = json.loads(answer.read())
        except (OSError, http.client.HTTPException, ValueError) as err:
            raise LocalCloudError(f"the local cloud at {self._info.endpoint} does not answer: {err}") from err
        finally:
            connection.close()
        if answer.status >= 500:
            raise LocalCloudError(
                f"the local cloud could not do it: {said.get('Message')}",
                f"its log is {Path(self._info.data_dir) / LOG_NAME}",
            )
        if answer.status >= 400:
            raise UsageError(
                f"{said.get('Message')} ({said.get('Code')})", "see `steelyard cloud fault --help`"
            )
        assert isinstance(said, dict)
        return said

    def _signed(self, method: str, path: str, body: bytes) -> dict[str, str]:
        headers = {
            "host": self._info.endpoint,
            "content-type": "application/json",
            "x-acs-date": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
            "x-acs-signature-nonce": secrets.token_hex(16),
        }
        names = sorted(headers)
        request = WireRequest(method=method, path=path, query_string="", headers=headers, body=body)
        signature = acs3_signature(request, names, self._info.access_key_secret)
        claim = f"Credential={self._info.access_key_id},SignedHeaders={';'.join(names)},Signature={signature}"
        return {**headers, "Authorization": f"{SCHEME} {claim}"}
