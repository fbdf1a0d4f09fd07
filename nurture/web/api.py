"""The JSON API for programs: people in, what they did, where they stand. Bearer token; described at `/docs`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Depends, HTTPException, Request, Response
from fastapi.security import HTTPBearer
from pydantic import BaseModel, ConfigDict, Field

from nurture.engine import enroll, erasing, exporting, redeeming
from nurture.engine.addresses import normalise
from nurture.engine.deploy import afresh
from nurture.engine.show import person
from nurture.errors import Refused

if TYPE_CHECKING:
    from collections.abc import Callable

    from nurture.web.site import Site

BEARER = HTTPBearer(auto_error=False, description="a token of `nurture token add`, or NURTURE_ADMIN_TOKEN")


class NewSubscriber(BaseModel):
    """A sign-up. With `sequence` they begin that one and no other; without, what starts at `joined` begins."""

    model_config = ConfigDict(extra="forbid")

    email: str = Field(examples=["ann@example.com"])
    attributes: dict[str, Any] = Field(default_factory=dict, examples=[{"first_name": "Ann"}])
    tags: list[str] = Field(default_factory=list)
    sequence: str | None = None


class Happened(BaseModel):
    """Something a person did: an event of people.yaml, or `bought` with `{"product": NAME}`, or `replied`."""

    model_config = ConfigDict(extra="forbid")

    name: str = Field(examples=["bought"])
    email: str = Field(examples=["ann@example.com"])
    data: dict[str, Any] = Field(default_factory=dict, examples=[{"product": "review"}])


def router(site: Site) -> APIRouter:
    # the doors have let in who may; this says in the description how to ask
    api = APIRouter(prefix="/api", dependencies=[Depends(BEARER)])

    @api.post("/subscribers", status_code=201)
    def subscribe(new: NewSubscriber, response: Response) -> dict[str, Any]:
        """Add a person, or what we know of them. 201 for a new one, 200 for one we knew."""
        try:
            done = afresh(
                site.current,
                lambda running: enroll.subscribe(
                    site.store, running, new.email, attributes=new.attributes, tags=new.tags, sequence=new.sequence,
                    now=site.now(),
                ),
            )  # fmt: skip
        except Refused as error:
            raise HTTPException(422, str(error)) from None
        if not done.is_new:
            response.status_code = 200
        return {
            "email": done.email, "new": done.is_new, "enrolled": list(done.enrolled), "suppressed": done.suppressed,
        }  # fmt: skip

    @api.post("/events", status_code=202)
    def event(happened: Happened) -> dict[str, Any]:
        """The product reports something. 404 when nobody has this address; then nothing is kept."""
        try:
            done = afresh(
                site.current,
                lambda running: enroll.report(
                    site.store, running, happened.email, happened.name, happened.data, site.now()
                ),
            )
        except Refused as error:
            raise HTTPException(422, str(error)) from None
        if not done.known:
            raise HTTPException(404, f"nobody has the address {done.email}")
        return {"email": done.email, "moved": list(done.moved)}

    @api.get("/offers/{code}")
    def offer(code: str, email: str | None = None) -> dict[str, Any]:
        """Whether an offer holds at this moment. A code that several people have needs `email` to say whose."""
        return _known(code, lambda: redeeming.look(site.store, code, email, site.now()))

    @api.post("/offers/{code}/redeem")
    def redeem(code: str, email: str | None = None) -> dict[str, Any]:
        """Use an offer up, once. 409 when it was used before, 410 when its deadline is over."""
        return _known(code, lambda: redeeming.redeem(site.store, code, email, site.now()))

    @api.get("/subscribers/{email}")
    def subscriber(email: str) -> dict[str, Any]:
        """A person's whole story, in the shape of `nurture show --json`."""
        try:
            found = person(site.store, normalise(email))
        except Refused as error:
            raise HTTPException(422, str(error)) from None
        if found is None:
            raise HTTPException(404, f"nobody has the address {email}")
        return found

    @api.delete("/subscribers/{email}")
    def erase(email: str, request: Request) -> dict[str, Any]:
        """Erase a person: everything that is known of them goes, the address stays barred. 404 when nobody has it."""
        try:
            done = afresh(
                site.current,
                lambda running: erasing.erase(site.store, running, email, site.now(), by=request.state.who.name),
            )
        except Refused as error:
            raise HTTPException(422, str(error)) from None
        if done is None:
            raise HTTPException(404, "nobody has this address")
        return done.document

    @api.get("/subscribers/{email}/export")
    def export(email: str, request: Request) -> dict[str, Any]:
        """Everything that is kept of a person, as `nurture export --email` writes it. Who takes it is on the audit log."""
        try:
            found = exporting.taken(site.store, normalise(email), request.state.who.name, site.now())
        except Refused as error:
            raise HTTPException(422, str(error)) from None
        if found is None:
            raise HTTPException(404, "nobody has this address")
        return found

    return api


def _known(code: str, ask: Callable[[], dict[str, object] | None]) -> dict[str, Any]:
    try:
        found = ask()
    except Refused as error:
        status = {redeeming.Spent: 409, redeeming.Over: 410}.get(type(error), 422)
        raise HTTPException(status, str(error)) from None
    if found is None:
        raise HTTPException(404, f"nobody has the code {code}")
    return found
