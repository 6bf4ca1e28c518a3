"""A folder is served by HTTP on loopback to whoever has the password: FOLDER PORT USER PASSWORD."""

from __future__ import annotations

import base64
import functools
import http.server
import sys

FOLDER, PORT, USER, PASSWORD = sys.argv[1:]
EXPECTED = "Basic " + base64.b64encode(f"{USER}:{PASSWORD}".encode()).decode()


class AsksForPassword(http.server.SimpleHTTPRequestHandler):
    """Basic authentication (RFC 7617)."""

    def do_GET(self) -> None:
        if self.headers["Authorization"] == EXPECTED:
            super().do_GET()
        else:
            self.send_error(http.HTTPStatus.UNAUTHORIZED)


handler = functools.partial(AsksForPassword, directory=FOLDER)
http.server.ThreadingHTTPServer(("127.0.0.1", int(PORT)), handler).serve_forever()
