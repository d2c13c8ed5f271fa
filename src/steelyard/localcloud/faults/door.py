"""The API of faults: JSON over HTTP on the cloud's one port, signed with the cloud's own key."""

from __future__ import annotations

import json
import logging

from steelyard.errors import LocalCloudError
from steelyard.localcloud.cloud import Cloud
from steelyard.localcloud.faults.board import FaultBoard
from steelyard.localcloud.faults.fault import PATH, Order, fault_refused, invalid_fault
from steelyard.localcloud.service import ApiError
from steelyard.localcloud.wire.message import WireRequest
from steelyard.localcloud.wire.signature import SCHEME, Verifier

_log = logging.getLogger(__name__)


class FaultDoor:
    """Answers requests for faults.

    `GET` lists them, `POST` with an order makes one, `DELETE` ends one (`/steelyard/faults/ID`) or all.

    Args:
        cloud: The cloud.
        board: Its faults.
    """

    def __init__(self, cloud: Cloud, board: FaultBoard) -> None:
        self._board = board
        self._verifier = Verifier(cloud, cloud.clock)

    @staticmethod
    def is_meant(path: str, authorization: str) -> bool:
        """Whether a request is for faults; with a signature of OSS it is for a bucket of that name."""
        return (path == PATH or path.startswith(f"{PATH}/")) and not authorization.startswith("OSS")

    def answer(self, request: WireRequest) -> tuple[int, bytes]:
        """Answer one request with a status and a JSON body."""
        try:
            self._check_caller(request)
            status, body = self._carry_out(request)
        except ApiError as err:
            status, body = err.status, {"Code": err.code, "Message": err.message}
        except LocalCloudError as err:
            refused = fault_refused(err.message)
            status, body = refused.status, {"Code": refused.code, "Message": refused.message}
        except Exception as err:  # noqa: BLE001 - whatever it is, the caller waits for an answer in JSON
            _log.exception("%s %s failed", request.method, request.path)
            status, body = 500, {"Code": "InternalError", "Message": f"{type(err).__name__}: {err}"}
        return status, json.dumps(body).encode()

    def _check_caller(self, request: WireRequest) -> None:
        """Refuse whoever does not hold the cloud's own key: an instance's role must not break the cloud.

        Raises:
            ApiError: The code of what is wrong.
        """
        if not request.headers.get("authorization", "").startswith(SCHEME):
            raise ApiError("IncompleteSignature", f"faults are asked for with a signature of {SCHEME}", 401)
        if self._verifier.verify(request).identity_type != "Account":
            raise ApiError("NoPermission", "faults are asked for with the cloud's own key", 403)

    def _carry_out(self, request: WireRequest) -> tuple[int, dict[str, object]]:
        fault_id = request.path.removeprefix(PATH).lstrip("/")
        if request.method == "GET" and not fault_id:
            return 200, {"faults": [fault.to_body() for fault in self._board.list()]}
        if request.method == "POST" and not fault_id:
            return 201, {"fault": self._board.make(_read_order(request.body)).to_body()}
        if request.method == "DELETE":
            cleared = [self._board.clear(fault_id)] if fault_id else self._board.clear_all()
            return 200, {"cleared": [fault.to_body() for fault in cleared]}
        raise ApiError("MethodNotAllowed", f"{request.method} {request.path} is not served", 405)


def _read_order(body: bytes) -> Order:
    try:
        tree = json.loads(body)
    except ValueError as err:
        raise invalid_fault(f"the body is no JSON: {err}") from err
    return Order.from_json(tree)
