"""A sign-up form as plain HTML, to be put on any site: no script, no frame, nothing that comes from elsewhere."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from nurture.mail.phrases import phrases
from nurture.web.signups import TRAP, label

if TYPE_CHECKING:
    from nurture.language.sequence import People, SignUp

TYPES = {"number": "number", "date": "date"}


def snippet(form: SignUp, people: People, url: str, language: str) -> str:
    """The form; `url` is where this server is."""
    said = phrases(language).page
    email = '<input type="email" name="email" autocomplete="email" required maxlength="254">'
    trap = f'<input name="{TRAP}" tabindex="-1" autocomplete="off">'
    fields = [
        f"  <p><label>{escape(said['email'])}\n    {email}</label></p>",
        *(_field(name, people.attributes[name]) for name in form.asks),
        # a person does not see this field; what fills it in is no person
        f'  <p style="position:absolute;left:-9999px" aria-hidden="true"><label>Website\n    {trap}</label></p>',
        f"  <p>{escape(form.consent or said['consent'])}</p>",
        f'  <p><button type="submit">{escape(form.button or said["sign_up"])}</button></p>',
    ]
    action = escape(f"{url}/signup/{form.name}")
    return "\n".join([f'<form method="post" action="{action}" accept-charset="utf-8">', *fields, "</form>"])


def _field(name: str, kind: str | tuple[str, ...]) -> str:
    start = f"  <p><label>{escape(label(name))}\n    "
    if isinstance(kind, str):
        return f'{start}<input type="{TYPES.get(kind, "text")}" name="{name}" maxlength="500"></label></p>'
    words = "".join(f"<option>{escape(word)}</option>" for word in kind)
    return f'{start}<select name="{name}"><option value=""></option>{words}</select></label></p>'
