"""The API described, for people, at `/docs`: drawn by us from the same description that programs read at `/openapi.json`.

FastAPI's own page loads its script from elsewhere; here that script could act as whoever is logged in.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from nurture.web.frame import twins

if TYPE_CHECKING:
    from fastapi import FastAPI
    from starlette.routing import Route

KNOWN = ("get", "post", "put", "patch", "delete")


def routes(app: FastAPI) -> list[Route]:
    return twins("/docs", "docs.html", "nurture.docs/1", lambda _: {"calls": _calls(app.openapi())})


def _calls(api: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {
            "method": method.upper(),
            "path": path,
            "means": said.get("description", ""),
            "fields": _fields(api, said),
            "answers": [code for code in said.get("responses", {}) if code.startswith("2")],
        }
        for path, methods in api["paths"].items()
        for method, said in methods.items()
        if method in KNOWN
    ]


def _fields(api: dict[str, Any], said: dict[str, Any]) -> list[dict[str, Any]]:
    """What the body holds; its shape is named once for the whole description."""
    body = said.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema", {})
    shape = api.get("components", {}).get("schemas", {}).get(body.get("$ref", "").rpartition("/")[2], {})
    return [
        {
            "name": name,
            "type": field.get("type") or " or ".join(one.get("type", "") for one in field.get("anyOf", [])),
            "needed": name in shape.get("required", []),
            "example": next(iter(field.get("examples", [])), None),
        }
        for name, field in shape.get("properties", {}).items()
    ]
