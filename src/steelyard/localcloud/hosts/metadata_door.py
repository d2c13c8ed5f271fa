"""The metadata service as instances of a VPC reach it: `http://100.100.100.200`, passed on to the cloud's own port."""

from __future__ import annotations

import http.client
import logging
import socket
import socketserver
import threading
from collections.abc import Callable
from http.server import BaseHTTPRequestHandler
from urllib.parse import urlsplit

_TIMEOUT_S = 10.0
_MAX_BODY_BYTES = 64 * 1024
_PASSED_ON = (
    "x-aliyun-ecs-metadata-token",
    "x-aliyun-ecs-metadata-token-ttl-seconds",
    "x-forwarded-for",
)

logger = logging.getLogger(__name__)

FindUrl = Callable[[str], str | None]


class _Request(BaseHTTPRequestHandler):
    server: _Server

    timeout = _TIMEOUT_S

    def do_GET(self) -> None:
        self._pass_on()

    def do_PUT(self) -> None:
        self._pass_on()

    def _pass_on(self) -> None:
        url = self.server.find_url(self.client_address[0])
        if url is None:
            self.send_error(404)
            return
        length = self.headers.get("Content-Length") or "0"
        if not (length.isascii() and length.isdigit() and len(length) <= len(str(_MAX_BODY_BYTES))):
            self.send_error(400)
            return
        parts = urlsplit(url)
        headers = {name: value for name, value in self.headers.items() if name.lower() in _PASSED_ON}
        self.rfile.read(min(int(length), _MAX_BODY_BYTES))
        cloud = http.client.HTTPConnection(parts.netloc, timeout=_TIMEOUT_S)
        try:
            cloud.request(self.command, parts.path + self.path, headers=headers)
            answer = cloud.getresponse()
            body = answer.read()
        except (OSError, http.client.HTTPException) as err:
            logger.warning("the metadata service does not answer %s: %s", self.client_address[0], err)
            self.send_error(502)
            return
        finally:
            cloud.close()
        self.send_response(answer.status)
        self.send_header("Content-Type", answer.getheader("Content-Type") or "text/plain")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name
        logger.debug(format, *args)


class _Server(socketserver.ThreadingMixIn, socketserver.BaseServer):
    # Not HTTPServer: its constructor looks its own name up, which takes seconds where no resolver answers.
    daemon_threads = True
    block_on_close = False

    def __init__(self, listener: socket.socket, find_url: FindUrl) -> None:
        super().__init__(listener.getsockname(), _Request)
        self.socket = listener
        self.find_url = find_url

    def fileno(self) -> int:
        return self.socket.fileno()

    def get_request(self) -> tuple[socket.socket, tuple[str, int]]:
        return self.socket.accept()

    def close_request(self, request: socket.socket) -> None:  # type: ignore[override]
        request.close()

    def handle_error(self, request: object, client_address: object) -> None:
        logger.debug("the metadata service lost %s", client_address, exc_info=True)

    shutdown_request = close_request  # type: ignore[assignment]


class MetadataDoor:
    """Serves the metadata service on one socket; who asks is known by its address.

    Args:
        listener: Listening socket in the VPC's router; it is closed with the door.
        find_url: Gives the base of an instance's metadata service by the instance's address, None where nobody has it.
    """

    def __init__(self, listener: socket.socket, find_url: FindUrl) -> None:
        self._server = _Server(listener, find_url)
        self._thread = threading.Thread(
            target=self._server.serve_forever, args=(0.05,), name="metadata-door", daemon=True
        )
        self._thread.start()

    def close(self) -> None:
        """Stop serving and close the socket."""
        self._server.shutdown()
        self._thread.join()
        self._server.socket.close()
