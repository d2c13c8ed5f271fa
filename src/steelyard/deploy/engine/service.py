"""The monitor and the engine as a gRPC service, for a program that runs in a process of its own."""

from __future__ import annotations

import shutil
import tempfile
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import TracebackType
from typing import Any

import grpc
from pulumi.runtime.proto import engine_pb2_grpc, resource_pb2_grpc

from steelyard.deploy.engine.monitor import Engine, Monitor

_MAX_MESSAGE_BYTES = 400 * 1024 * 1024
"""As the SDK's own channels take it (`pulumi.runtime._grpc_settings`)."""

_STOP_S = 2.0


class MonitorService:
    """Serves one run's monitor and engine on a Unix socket that only this user reaches.

    Args:
        monitor: Answers the program's registrations.
        engine: Takes its messages.
        parallel: How many calls may be answered at once.

    Attributes:
        refusal: The first error that a call was answered with.
    """

    def __init__(self, monitor: Monitor, engine: Engine, *, parallel: int) -> None:
        self.refusal: Exception | None = None
        self._lock = threading.Lock()
        # A short path: a Unix socket's may have 107 bytes.
        self._folder = Path(tempfile.mkdtemp(prefix="sy-"))
        self._executor = ThreadPoolExecutor(2 * parallel, thread_name_prefix="pulumi-service")
        self._server = grpc.server(
            self._executor,
            options=[
                ("grpc.max_receive_message_length", _MAX_MESSAGE_BYTES),
                ("grpc.max_send_message_length", _MAX_MESSAGE_BYTES),
            ],
        )
        monitor_servicer: Any = _Servicer(monitor, self._refuse)
        engine_servicer: Any = _Servicer(engine, self._refuse)
        resource_pb2_grpc.add_ResourceMonitorServicer_to_server(monitor_servicer, self._server)
        engine_pb2_grpc.add_EngineServicer_to_server(engine_servicer, self._server)

    @property
    def address(self) -> str:
        """What a gRPC channel is opened on."""
        return f"unix:{self._folder / 'engine'}"

    def __enter__(self) -> MonitorService:
        self._server.add_insecure_port(self.address)
        self._server.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._server.stop(_STOP_S).wait()
        self._executor.shutdown()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _refuse(self, error: Exception) -> None:
        with self._lock:
            self.refusal = self.refusal or error


class _Servicer:
    """Gives an object's one-argument methods the form that gRPC calls."""

    def __init__(self, target: object, refuse: Callable[[Exception], None]) -> None:
        self._target = target
        self._refuse = refuse

    def __getattr__(self, name: str) -> Callable[[Any, grpc.ServicerContext], Any]:
        method = getattr(self._target, name)

        def answer(request: Any, context: grpc.ServicerContext) -> Any:
            try:
                return method(request)
            except Exception as err:  # noqa: BLE001  the caller is in another process: it gets the words
                self._refuse(err)
                return context.abort(grpc.StatusCode.UNKNOWN, str(err) or repr(err))

        return answer
