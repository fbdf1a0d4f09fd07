"""Commands about sign-up forms: where each is, how many came by it, and its HTML for another site."""

from __future__ import annotations

from typing import Annotated

import typer

from nurture.cli import say
from nurture.cli.people import AsJson
from nurture.cli.project import At
from nurture.errors import Refused, SettingsError
from nurture.language.problems import did_you_mean


def register(app: typer.Typer) -> None:
    app.command("signup")(signup)


def signup(
    context: typer.Context,
    name: Annotated[str | None, typer.Argument(metavar="NAME", help="the form, as people.yaml calls it")] = None,
    *,
    html: Annotated[
        bool, typer.Option("--html", help="plain HTML for another site, that works without a script")
    ] = False,
    language: Annotated[str, typer.Option(metavar="CODE", help="of the words that the HTML has of its own")] = "en",
    as_json: AsJson = False,
) -> None:
    """Sign-up forms: where each one is, how many sent it and how many confirmed. With --html, one to copy."""
    from nurture.language.people import read_people
    from nurture.store import signups
    from nurture.web.snippet import snippet

    at: At = context.obj
    people = read_people(at.files().get("people.yaml", b"")).people
    if name is not None and name not in people.signups:
        raise Refused(f"people.yaml declares no sign-up '{name}'{did_you_mean(name, people.signups)}")
    url = at.settings.base_url.rstrip("/")
    if html:
        if name is None:
            raise Refused(f"say which form: {', '.join(people.signups) or 'people.yaml declares none'}")
        if not url:
            raise SettingsError("a form on another site needs to know this server: set NURTURE_BASE_URL")
        print(snippet(people.signups[name], people, url, language))
        return
    chosen = [name] if name is not None else list(people.signups)
    with at.store() as store, store.read() as tx:
        numbers = signups.numbers(tx)
    forms = [
        {
            "form": one,
            "page": f"{url}/signup/{one}",
            "sent": numbers.get(one, (0, 0))[0],
            "confirmed": numbers.get(one, (0, 0))[1],
        }
        for one in chosen
    ]
    if as_json:
        say.data({"format": "nurture.signups/1", "forms": forms})
        return
    for form in forms:
        print(f"{form['page']}  {form['sent']} sent, {form['confirmed']} confirmed")
    if not forms:
        say.say(
            "There are no sign-up forms; declare one in people.yaml, like signups: {news: {title: One mail a week}}"
        )
