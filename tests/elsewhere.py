"""A site of somebody else: pages on another origin, as a blog that carries our form or a player that reports back."""

from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

KINDS = {"html": "text/html; charset=utf-8", "wav": "audio/wav"}


@contextmanager
def elsewhere(files):
    """Serve these bodies by their paths; gives the address. Its host is not ours, so it is another site."""

    class Serving(BaseHTTPRequestHandler):
        def do_GET(self):
            path = self.path.partition("?")[0]
            body = files.get(path)
            self.send_response(200 if body is not None else 404)
            self.send_header("Content-Type", KINDS.get(path.rpartition(".")[2], "text/plain"))
            self.end_headers()
            self.wfile.write(body or b"")

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Serving)
    Thread(target=server.serve_forever, args=(0.05,), daemon=True).start()
    try:
        yield f"http://localhost:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()
