"""Load for the hooks of a running engine: how many events a second are answered after they are durable.

Run by bench.py as a process of its own: `hooks_load.py DATABASE_URL FOLDER` starts `nurture run --only web` and posts
signed events at it over loopback, for a bounded number of requests.
"""

from __future__ import annotations

import asyncio
import base64
import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat


def main() -> None:
    url, folder = sys.argv[1], Path(sys.argv[2]) / "hooks"
    key = ec.generate_private_key(ec.SECP256R1())
    public = base64.b64encode(key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()
    port = _free_port()
    process = _start(url, folder, port, public)
    try:
        _wait(port)
        batches = [_signed_batch(key, number, 100) for number in range(400)]
        singles = [_single(number) for number in range(6000)]
        rows = [
            {"what": "100 events a POST, signed, 4 connections", "events": asyncio.run(_load(port, batches, 4)) * 100},
            {"what": "1 event a POST, 16 connections", "events": asyncio.run(_load(port, singles, 16))},
        ]
    finally:
        process.kill()
        process.wait()
    print(json.dumps(rows))


def _start(url: str, folder: Path, port: int, public: str) -> subprocess.Popen[bytes]:
    for name in ("sequences", "templates"):
        (folder / name).mkdir(parents=True, exist_ok=True)
    (folder / "templates" / "body.md").write_text("{{ ask }}\n")
    (folder / "sequences" / "one.yaml").write_text(
        "title: One\nstart: manual\nfrom: Ada <ada@example.com>\nwithin: 1 day\nsteps:\n  one:\n    subject: One\n"
        "    template: body.md\n    ask: {click: Go, to: https://example.com/}\n    no: end\n"
    )
    environment = {
        **os.environ,
        "NURTURE_DATABASE_URL": url,
        "NURTURE_SECRET_KEY": "a key for benchmarks only, 32 letters",
        "NURTURE_PROVIDERS__SENDGRID__HOOK_SECRET": public,
        "NURTURE_PROVIDERS__POSTMARK__HOOK_SECRET": "user:password",
    }
    words = [sys.executable, "-m", "nurture", "-C", str(folder), "run", "--only", "web", "--port", str(port)]
    return subprocess.Popen(words, env=environment, stdout=subprocess.DEVNULL, stderr=sys.stderr)


def _free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return int(found.getsockname()[1])


def _wait(port: int) -> None:
    until = time.monotonic() + 20
    while time.monotonic() < until:
        with socket.socket() as attempt:
            if attempt.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.1)
    raise SystemExit("the web did not start")


def _signed_batch(key: ec.EllipticCurvePrivateKey, number: int, size: int) -> bytes:
    events = [
        {
            "email": f"p{n}@example.com", "timestamp": 1780308000 + n, "event": "click", "url": "https://example.com/tour",
            "ip": "192.0.2.1", "useragent": "Mozilla/5.0", "sg_event_id": f"{number}-{n}", "nid": f"m{number}x{n}",
        }
        for n in range(size)
    ]  # fmt: skip
    body = json.dumps(events).encode()
    stamp = "1780308000"
    signature = base64.b64encode(key.sign(stamp.encode() + body, ec.ECDSA(hashes.SHA256()))).decode()
    headers = {
        "X-Twilio-Email-Event-Webhook-Signature": signature,
        "X-Twilio-Email-Event-Webhook-Timestamp": stamp,
    }
    return _request("/hooks/sendgrid", body, headers)


def _single(number: int) -> bytes:
    event = {
        "RecordType": "Delivery", "MessageID": f"id-{number}", "Recipient": f"p{number}@example.com",
        "DeliveredAt": "2026-06-01T10:00:00.0000000Z", "Metadata": {"nid": f"s{number}"},
    }  # fmt: skip
    login = base64.b64encode(b"user:password").decode()
    return _request("/hooks/postmark", json.dumps(event).encode(), {"Authorization": f"Basic {login}"})


def _request(path: str, body: bytes, headers: dict[str, str]) -> bytes:
    lines = [
        f"POST {path} HTTP/1.1",
        "Host: 127.0.0.1",
        "Content-Type: application/json",
        f"Content-Length: {len(body)}",
    ]
    lines += [f"{name}: {value}" for name, value in headers.items()]
    return ("\r\n".join(lines) + "\r\n\r\n").encode() + body


async def _load(port: int, requests: list[bytes], connections: int) -> float:
    """Requests a second, each answered 200, over so many kept-alive connections."""
    queue = iter(requests)
    began = time.perf_counter()
    await asyncio.gather(*(_connection(port, queue) for _ in range(connections)))
    return len(requests) / (time.perf_counter() - began)


async def _connection(port: int, queue) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    for request in queue:
        writer.write(request)
        head = await reader.readuntil(b"\r\n\r\n")
        if not head.startswith(b"HTTP/1.1 200"):
            raise SystemExit(f"the hook was refused: {head[:200]!r}")
        lower = head.lower()
        length = int(lower.partition(b"content-length:")[2].partition(b"\r\n")[0] or 0)
        await reader.readexactly(length)
    writer.close()


if __name__ == "__main__":
    main()
