"""Mails that share one compiled template say exactly what they say alone."""

import pytest

from nurture.errors import RenderError
from nurture.mail.shapes import shaping
from nurture.mail.slots import Slots, fill_text
from nurture.mail.templates import Templates

ALONE = "{% set alone = 1 %}"
"""With a tag that is not on the list a template is compiled by itself."""

MAILS = [
    'Hello {{ name or "friend" }},\n\n{% if plan == "pro" %}\n  Much\n  {% else %}\nLittle\n{% endif %}\n\nAda\n',
    'Dear {{ name or "friend" }}!\n\n{% if plan == "pro" %}\n  All\n  {% else %}\nNone\n{% endif %}\nYours\n\n',
    "{# a note #} a {%- if name -%} b {%- endif -%} c {{- name }} d",
    "{% raw %}{{ as it stands }}{% endraw %} {{ name }}",
    "{% for one in [1, 2] %}{{ one }}: {{ name }}\r\n{% endfor %}",
    "no code at all",
]


@pytest.mark.parametrize("source", MAILS)
def test_a_shared_template_says_what_it_says_alone(source):
    assert said(source) == said(ALONE + source)


def test_mails_with_the_same_code_share_one_template_and_keep_their_words():
    files = {"a.md": MAILS[0], "b.md": MAILS[1]}
    templates = Templates(files)
    shaped = shaping(templates._pages)
    assert shaped(MAILS[0]).shared is shaped(MAILS[1]).shared
    assert [said_by(templates, name)[:5] for name in files] == ["Hello", "Dear "]


def test_what_may_measure_words_is_not_shared():
    assert said("{% filter upper %}abc{% endfilter %}") == "ABC"
    assert said("{% set x %}abc{% endset %}{{ x|length }}") == "3"


def test_a_fault_in_a_shared_template_is_told_with_its_own_line():
    templates = Templates({"a.md": "{{ nobody }}", "b.md": "one\ntwo\n{{ nobody }}"})
    for name, line in (("a.md", 1), ("b.md", 3)):
        with pytest.raises(RenderError, match=f"templates/{name}:{line}: 'nobody' is not known"):
            said_by(templates, name)


def said(source):
    return said_by(Templates({"a.md": source}), "a.md")


def said_by(templates, name):
    slots = Slots()
    return fill_text(templates.page(name, {"name": "Ann", "plan": "pro"}, slots), slots)
