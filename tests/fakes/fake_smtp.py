"""A mail server in a process of its own: every mail that it accepts is a line of JSON in its log. Prints its port."""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import sys
from email import message_from_bytes
from email.policy import default

from aiosmtpd.smtp import SMTP, Envelope, Session


class Log:
    def __init__(self, path: str) -> None:
        self.file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:  # noqa: N802 - its name is aiosmtpd's
        mail = message_from_bytes(envelope.content, policy=default)
        plain, html = mail.get_body(("plain",)), mail.get_body(("html",))
        line = {
            "nid": mail["X-Nurture-Id"], "to": envelope.rcpt_tos[0], "subject": mail["Subject"],
            "headers": dict(mail.items()), "text": plain.get_content() if plain else "",
            "html": html.get_content() if html else "",
        }  # fmt: skip
        os.write(self.file, json.dumps(line).encode() + b"\n")
        return "250 OK"


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--port", type=int, default=0)
    parser.add_argument("--log", required=True)
    options = parser.parse_args()
    handler = Log(options.log)
    loop = asyncio.get_running_loop()
    server = await loop.create_server(lambda: SMTP(handler, enable_SMTPUTF8=True), "127.0.0.1", options.port)
    sys.stdout.write(f"{server.sockets[0].getsockname()[1]}\n")
    sys.stdout.flush()
    await server.serve_forever()


if __name__ == "__main__":
    try:
        asyncio.run(main())
    except KeyboardInterrupt:
        sys.exit(130)
