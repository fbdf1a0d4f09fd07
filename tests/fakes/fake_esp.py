"""A mail provider in a process of its own: it speaks Postmark, SendGrid and Resend, and its log is the judge.

Every mail that it accepts is a line of JSON in the log (`nid`, `to`, `subject`, `key`, `at`, `headers`, `text`)
before the answer leaves. With `--contracts` a request must fit the vendor's schema, else it is refused with 400. With
`--key` it honours Idempotency-Key as Resend does (https://resend.com/docs/dashboard/emails/idempotency-keys): the same
key and bytes give the same answer and no second mail, other bytes give 409.

Prints its port on the first line.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import re
import sys
import time
from collections.abc import Callable
from email.utils import parseaddr
from hashlib import blake2b
from pathlib import Path
from urllib.parse import parse_qs, urlsplit

LENGTH = re.compile(rb"\r\ncontent-length:[ \t]*(\d+)", re.IGNORECASE)
Headers = dict[str, str]


class Esp:
    """What all connections share: the log, the keys that were seen, the chaos that was asked for."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.latency = options.latency / 1000
        self.log = os.open(options.log, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
        self.honours_keys = options.key
        self.keys: dict[str, tuple[bytes, bytes]] = {}
        self.accepted = 0
        self.drip = options.drip
        self.drop_every = options.drop_every
        self.fail_every = options.fail_every
        self.asked = 0
        self.schemas = _schemas(options.contracts)
        self.search: dict[str, str] | None = {} if options.search else None
        self.known = Path(options.known) if options.known else None

    def answer(self, path: str, headers: Headers, body: bytes) -> bytes | None:
        """The response to one request; None drops the connection after the mail was accepted."""
        self.asked += 1
        login = _login(headers)
        if self.known is not None and login not in self.known.read_text().split():
            return _response(401, b'{"message": "no such key"}')
        if self.search is not None and path.startswith("/messages/outbound?"):
            (nid,) = parse_qs(urlsplit(path).query)["metadata_nid"]
            had = self.search.get(nid)
            return _response(200, json.dumps({"Messages": [{"MessageID": had}] if had else []}).encode())
        if path in BATCHES:
            return self._many(BATCHES[path], headers, json.loads(body))
        if self.fail_every and self.asked % self.fail_every == 0:
            return _response(503, b'{"message": "try again"}', {"Retry-After": "1"})
        read = VENDORS.get(path)
        if read is None:
            return _response(404, b'{"message": "no such path"}')
        try:
            sent = json.loads(body)
            if path in self.schemas:
                self.schemas[path](sent)
            mail = read(sent, headers)
        except Refused as error:
            return _response(error.status, json.dumps(error.body).encode())
        except Exception as error:  # noqa: BLE001 - whatever does not fit is refused
            return _response(
                400, json.dumps({"ErrorCode": 300, "message": f"{type(error).__name__}: {error}"}).encode()
            )
        key = headers.get("idempotency-key", "")
        digest = blake2b(body).digest()
        if self.honours_keys and key in self.keys:
            before, response = self.keys[key]
            return response if before == digest else _response(409, b'{"name": "invalid_idempotent_request"}')
        self.accepted += 1
        number = f"fake-{self.accepted}"
        if self.search is not None:
            self.search[mail["nid"]] = number
        line = {**mail, "key": key, "at": time.time(), "vendor": path, "id": number, "login": login}
        os.write(self.log, json.dumps(line).encode() + b"\n")
        response = _receipt(path, number)
        if self.honours_keys and key:
            self.keys[key] = (digest, response)
        if self.drop_every and self.accepted % self.drop_every == 0:
            return None
        return response

    def _many(self, path: str, headers: Headers, mails: list[dict]) -> bytes | None:
        """Each as if it had come alone, in one answer (Postmark and Resend alike, but for the answer's shape)."""
        if path in self.schemas:
            for mail in mails:
                self.schemas[path](mail)
        answers = []
        for sent in mails:
            self.accepted += 1
            number = f"fake-{self.accepted}"
            mail = VENDORS[path](sent, headers)
            if self.search is not None:
                self.search[mail["nid"]] = number
            line = {**mail, "key": "", "at": time.time(), "vendor": path, "id": number}
            os.write(self.log, json.dumps(line).encode() + b"\n")
            answers.append({"ErrorCode": 0, "Message": "OK", "MessageID": number, "id": number})
        if self.drop_every and self.asked % self.drop_every == 0:
            return None
        return _response(200, json.dumps(answers if path == "/email" else {"data": answers}).encode())


class Refused(Exception):
    def __init__(self, status: int, body: object) -> None:
        super().__init__(status)
        self.status = status
        self.body = body


def _login(headers: Headers) -> str:
    return headers.get("x-postmark-server-token") or headers.get("authorization", "").removeprefix("Bearer ")


def _postmark(sent: dict, headers: Headers) -> dict:
    if not headers.get("x-postmark-server-token"):
        raise Refused(401, {"ErrorCode": 10, "Message": "no server token"})
    return _mail(
        sent["Metadata"]["nid"], sent["To"], sent["Subject"], sent["TextBody"], sent["HtmlBody"],
        {header["Name"]: header["Value"] for header in sent.get("Headers", [])},
    )  # fmt: skip


def _sendgrid(sent: dict, headers: Headers) -> dict:
    if not headers.get("authorization", "").startswith("Bearer "):
        raise Refused(401, {"errors": [{"message": "no key"}]})
    (one,) = sent["personalizations"]
    (to,) = one["to"]
    content = {part["type"]: part["value"] for part in sent["content"]}
    return _mail(
        {**sent.get("custom_args", {}), **one.get("custom_args", {})}["nid"], to["email"],
        one.get("subject") or sent["subject"], content["text/plain"], content["text/html"],
        {**sent.get("headers", {}), **one.get("headers", {})},
    )  # fmt: skip


def _resend(sent: dict, headers: Headers) -> dict:
    if not headers.get("authorization", "").startswith("Bearer "):
        raise Refused(401, {"name": "missing_api_key"})
    (to,) = sent["to"]
    tags = {tag["name"]: tag["value"] for tag in sent["tags"]}
    return _mail(tags["nid"], to, sent["subject"], sent["text"], sent["html"], sent.get("headers", {}))


def _mail(nid: str, to: str, subject: str, text: str, html: str, headers: Headers) -> dict:
    assert nid and subject and text and html
    return {"nid": nid, "to": parseaddr(to)[1], "subject": subject, "headers": headers, "text": text}


VENDORS: dict[str, Callable[[dict, Headers], dict]] = {
    "/email": _postmark,
    "/v3/mail/send": _sendgrid,
    "/emails": _resend,
}
BATCHES = {"/email/batch": "/email", "/emails/batch": "/emails"}
NAMES = {"/email": "postmark", "/v3/mail/send": "sendgrid", "/emails": "resend"}


def _schemas(folder: str) -> dict[str, Callable[[object], None]]:
    if not folder:
        return {}
    from jsonschema import Draft202012Validator

    found = {}
    for path, name in NAMES.items():
        validator = Draft202012Validator(json.loads((Path(folder) / f"{name}.json").read_text()))
        found[path] = validator.validate
    return found


def _receipt(path: str, number: str) -> bytes:
    if path == "/email":
        return _response(200, json.dumps({"ErrorCode": 0, "Message": "OK", "MessageID": number}).encode())
    if path == "/emails":
        return _response(200, json.dumps({"id": number}).encode())
    return _response(202, b"", {"X-Message-Id": number})


def _response(status: int, body: bytes, headers: Headers | None = None) -> bytes:
    lines = [f"HTTP/1.1 {status} X", f"Content-Length: {len(body)}", "Content-Type: application/json"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


class Connection(asyncio.Protocol):
    """One kept-alive connection. As little as possible, so that it is the sender that is measured."""

    def __init__(self, esp: Esp) -> None:
        self.esp = esp
        self.buffer = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        while (end := self.buffer.find(b"\r\n\r\n")) >= 0:
            head = self.buffer[:end]
            found = LENGTH.search(head)
            length = int(found[1]) if found else 0
            whole = end + 4 + length
            if len(self.buffer) < whole:
                return
            body, self.buffer = self.buffer[end + 4 : whole], self.buffer[whole:]
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.strip().lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)
            }
            response = self.esp.answer(first.split(" ")[1], headers, body)
            if self.esp.latency:
                asyncio.get_running_loop().call_later(self.esp.latency, self._send, response)
            else:
                self._send(response)

    def _send(self, response: bytes | None) -> None:
        if response is None:
            self.transport.abort()
        elif self.esp.drip:
            self._drip(response)
        elif not self.transport.is_closing():
            self.transport.write(response)

    def _drip(self, response: bytes) -> None:
        if response and not self.transport.is_closing():
            self.transport.write(response[:1])
            asyncio.get_running_loop().call_later(self.esp.drip, self._drip, response[1:])


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--host", default="127.0.0.1")
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", required=True)
    parser.add_argument("--latency", type=float, default=0, help="milliseconds before each answer")
    parser.add_argument("--key", action="store_true", help="honour Idempotency-Key")
    parser.add_argument("--contracts", default="", help="a folder of schemas that requests must fit")
    parser.add_argument(
        "--known", default="", help="a file with the keys that are known, which may change; else any is"
    )
    parser.add_argument("--search", action="store_true", help="it can be asked for a mail, as Postmark can")
    parser.add_argument("--drop-every", type=int, default=0, help="accept every n-th mail and drop the connection")
    parser.add_argument("--drip", type=float, default=0, help="seconds between two bytes of an answer")
    parser.add_argument("--fail-every", type=int, default=0, help="answer every n-th request with 503")
    options = parser.parse_args()
    esp = Esp(options)
    server = await asyncio.get_running_loop().create_server(lambda: Connection(esp), options.host, options.port)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
