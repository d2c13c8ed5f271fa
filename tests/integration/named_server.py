"""An HTTP server that answers with its name: `python named_server.py ADDRESS PORT NAME [DELAY_S]`.

It answers HEAD (the health check) at once and GET after the delay.
"""

from __future__ import annotations

import http.server
import socketserver
import sys
import time

NAME = sys.argv[3].encode()
DELAY_S = float(sys.argv[4]) if len(sys.argv) > 4 else 0.0


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # An answer leaves in one write: a kill between two would cut one that HAProxy has begun and cannot ask for again.
    wbufsize = 65536

    def do_HEAD(self):
        self.send_response(200)
        self.end_headers()

    def do_GET(self):
        time.sleep(DELAY_S)
        body = NAME + b" " + self.headers.get("X-Forwarded-For", "").encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *arguments):
        pass


class Server(socketserver.ThreadingTCPServer):
    allow_reuse_address = True
    daemon_threads = True
    request_queue_size = 512


Server((sys.argv[1], int(sys.argv[2])), Handler).serve_forever()
