"""AWS Signature Version 4 for one request: https://docs.aws.amazon.com/IAM/latest/UserGuide/create-signed-request.html

botocore signs too, and brings thirty megabytes and a second HTTP client; one POST needs these few lines, which the
tests hold to the vectors that AWS publishes.
"""

from __future__ import annotations

import hmac
from datetime import datetime
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote

if TYPE_CHECKING:
    import httpx


def authorization(request: httpx.Request, key: str, region: str, service: str, now: datetime) -> dict[str, str]:
    """The headers that sign `request`; `key` is `ACCESS:SECRET`. What a proxy may add or change is not signed."""
    access, _, secret = key.partition(":")
    at = now.strftime("%Y%m%dT%H%M%SZ")
    scope = f"{at[:8]}/{region}/{service}/aws4_request"
    stable = {name: value for name, value in request.headers.items() if name in ("host", "content-type")}
    signed = sorted({**stable, "x-amz-date": at}.items())
    names = ";".join(name for name, _ in signed)
    # as httpx writes the path, encoded once more, as every service but S3 wants it
    path = quote(request.url.raw_path.partition(b"?")[0].decode(), safe="/")
    query = "&".join(
        f"{name}={value}"
        for name, value in sorted((_escaped(k), _escaped(v)) for k, v in request.url.params.multi_items())
    )
    canonical = "\n".join(
        [
            request.method,
            path,
            query,
            *(f"{name}:{' '.join(value.split())}" for name, value in signed),
            "",
            names,
            sha256(request.content).hexdigest(),
        ]
    )
    wanted = f"AWS4-HMAC-SHA256\n{at}\n{scope}\n{sha256(canonical.encode()).hexdigest()}"
    step = f"AWS4{secret}".encode()
    for part in (*scope.split("/"), wanted):
        step = hmac.digest(step, part.encode(), "sha256")
    return {
        "X-Amz-Date": at,
        "Authorization": f"AWS4-HMAC-SHA256 Credential={access}/{scope}, SignedHeaders={names}, Signature={step.hex()}",
    }


def _escaped(text: str) -> str:
    return quote(text, safe="-_.~")
