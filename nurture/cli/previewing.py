"""`nurture preview`: the project's mails in the browser, live as they are saved, and the ladder to be played by hand."""

from __future__ import annotations

import sys
import webbrowser
from contextlib import ExitStack
from pathlib import Path
from threading import Event
from typing import TYPE_CHECKING, Annotated

import typer

from nurture.cli import say
from nurture.cli.running import free_socket
from nurture.cli.writing import many

if TYPE_CHECKING:
    from nurture.cli.project import At

PORT = 8027


def register(app: typer.Typer) -> None:
    app.command("preview")(preview)


def preview(
    context: typer.Context,
    port: Annotated[int, typer.Option(help="where its page is; the next free one when it is taken")] = PORT,
    export: Annotated[
        Path | None, typer.Option(metavar="DIR", help="write all mails and ladders as pages to DIR, and leave")
    ] = None,
    *,
    edit: Annotated[bool, typer.Option("--edit", help="the editor may write the project's files")] = False,
    browser: Annotated[bool, typer.Option(help="open the page")] = True,
) -> int:
    """Every mail live as you save it, its checks, and the ladder to play. Only this machine can see it."""
    from nurture.engine.run import stop_on_signals
    from nurture.web.preview.app import Listeners, build
    from nurture.web.preview.desk import Desk, Watching
    from nurture.web.preview.export import write_pages
    from nurture.web.serve import address, serving

    at: At = context.obj
    desk = Desk(at.folder, at.rules.letterhead)
    if export is not None:
        written = write_pages(desk, export)
        say.say(f"{many(written, 'page')} written to {export}; begin with {export / 'index.html'}.")
        return 0
    stop = Event()
    with ExitStack() as stack:
        listening = free_socket(stack, "127.0.0.1", port)
        code = stop_on_signals(stop)
        watching, listeners = Watching(desk), Listeners(desk)
        stack.callback(watching.close)
        stack.enter_context(serving(build(desk, listeners, edit=edit), listening))
        stack.callback(listeners.close)
        home = address(listening)
        say.say(f"The preview is at {home}. It looks again whenever you save. Ctrl+C stops it.")
        if browser and sys.stderr.isatty():
            webbrowser.open(home)
        while not stop.wait(1):
            pass
    return code()
