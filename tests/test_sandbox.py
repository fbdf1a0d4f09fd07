"""What a template cannot do, whoever wrote it: reach what it was not given, or keep a worker busy."""

import time

import pytest
from doors import LADDER
from test_mail_checks import problems_with

from nurture.errors import RenderError
from nurture.mail.allowance import LONGEST
from nurture.mail.slots import Slots
from nurture.mail.templates import Templates

GIVEN = {
    "first_name": "Ann", "seats": 3, "answers": {"question": "home"}, "said": lambda name: name, "tags": ["vip"],
    "long": "x" * 100_000, "many": ["one thing"] * 1_000,
}  # fmt: skip


def printed(text, **files):
    return Templates({"tour.md": text, **files}).page("tour.md", GIVEN, Slots())


def said_of(text, **files):
    """What is said of a template that fails: one line, with its place."""
    with pytest.raises(RenderError) as caught:
        pytest.fail(f"{text} came to {printed(text, **files)[:200]}")
    (line,) = str(caught.value).splitlines()
    return line


# --- out of the room

REACHES = """\
first_name.__class__
first_name.__class__.__mro__[1].__subclasses__()
''.__class__.mro()
().__class__.__bases__[0]
first_name['__class__']
first_name|attr('__class__')
([first_name]|map(attribute='__class__')|list)[0].__name__
[first_name]|map('attr', '__class__')|list
[first_name]|sum(attribute='__class__', start='')
([first_name]|selectattr('__class__')|list)[0]
([first_name, first_name]|map(attribute='__class__')|sort)[0].mro()
([first_name]|groupby('__class__')|list)[0].grouper
([first_name]|map(attribute='__class__')|max).mro()
[first_name]|join(attribute='__class__')
'{0.__class__}'.format(first_name)
'{0.__class__.__init__.__globals__}'.format(said)
'{x.__class__}'.format_map({'x': first_name})
('{0.__class__}'|string).format(first_name)
'%s' % first_name
'%s'|format(first_name)
first_name.format
first_name.format.__self__
['{0.__class__}']|map('format', first_name)|list
('a{0.__class__}'.split('a')|last).format(first_name)
''.join([first_name])
first_name.encode()
first_name.encode().__class__
first_name.translate({65: 'B'})
first_name.maketrans('A', 'B')
said.__globals__
said.__code__
said.__closure__
said.func_globals
said['__globals__']
said.__call__.__self__
answers.__class__
answers.update({'question': 'auto'})
answers.pop('question')
answers.setdefault('a', 1)
answers.clear()
answers.copy()
tags.append('x')
tags.sort()
tags.__class__
seats.real.__class__
seats.to_bytes(8, 'big')
seats.bit_length()
lipsum.__globals__['os']
lipsum()
cycler.__init__.__globals__.os.popen('id').read()
cycler('a')
joiner.__init__.__globals__
namespace.__init__.__globals__
namespace(a=1)
range(3)
dict(a=1)
config
request.application.__globals__
env
os.environ
open('/etc/passwd').read()
__import__('os')
__builtins__
self.__init__.__globals__
self._TemplateReference__context
self.__class__
loop
caller()
super()
url_for.__globals__
get_flashed_messages.__globals__
first_name|safe
first_name|escape
first_name|xmlattr
first_name|pprint
first_name|tojson
first_name|urlize
first_name|e
""".splitlines()


def test_what_a_template_reaches_for_beyond_what_it_is_given_is_refused():
    for reached in REACHES:
        said = said_of(f"Hello\n{{{{ {reached} }}}}\n")
        assert said.startswith("templates/tour.md:2: "), reached
        assert "object at" not in said


def test_no_block_leads_out_either():
    for block in (
        "{% macro f() %}{% endmacro %}{{ f.__globals__ }}", "{% macro f() %}{% endmacro %}{{ f._func }}",
        "{% macro f() %}{{ caller.__class__ }}{% endmacro %}{% call f() %}{% endcall %}",
        "{% for one in tags %}{{ loop.__class__ }}{% endfor %}", "{% for one in tags %}{{ loop._iterator }}{% endfor %}",
        "{% for one in tags %}{{ loop.__init__.__globals__ }}{% endfor %}",
        "{% block b %}{{ self.b.__init__ }}{% endblock %}", "{% block b %}{{ super._context }}{% endblock %}",
        "{% set first_name.x = 1 %}", "{% set tags[0] = 1 %}", "{% import 'os' as os %}", "{% include '../secret' %}",
        "{% include '/etc/passwd' %}", "{% extends '/etc/passwd' %}", "{% from 'os' import popen %}", "{% do tags.append(1) %}",
        "{% include ['../../.env', '/etc/passwd'] %}", "{% set x = '{0.__class__}' %}{{ x.format(first_name) }}",
        "{% set x %}{0.__class__}{% endset %}{{ x.format(first_name) }}", "{% filter format(first_name) %}%s{% endfilter %}",
        "{% set x %}{0.__class__}{% endset %}{{ x.format_map({}) }}", "{% debug %}", "{% trans %}{% endtrans %}",
    ):  # fmt: skip
        said_of(block)


def test_what_a_person_wrote_is_never_a_template():
    slots = Slots()
    hostile = {"first_name": "{{ 7 * 7 }}{% for a in b %}{# x #}<mj-raw>"}
    text = Templates({"tour.md": "{{ first_name }} {{ first_name | upper }}"}).page("tour.md", hostile, slots)
    assert slots == [hostile["first_name"], hostile["first_name"].upper()]
    assert "{" not in text


# --- without an end

TEN = "'0123456789'"
LOOPS = (
    "{% for a in X %}{% for b in X %}{% for c in X %}{% for d in X %}{% for e in X %}{% for f in X %}{% for g in X %}"
)
ENDS = "{% endfor %}" * 7
DOUBLED = "{% set x = 'xxxxxxxxxx' %}" + "{% set x = x ~ x %}" * 40
BOMBS = {
    "loops in loops": LOOPS.replace("X", TEN) + ENDS,
    "loops in loops that print": LOOPS.replace("X", TEN) + "some words" + ENDS,
    "loops over what is long": "{% for a in long %}{% for b in long %}{% endfor %}{% endfor %}",
    "loops with much in them": f"{{% for a in long %}}{'x' * 50_000}{{% endfor %}}",
    "a loop in itself": "{% for a in [[0]] recursive %}{{ loop([a, a]) }}{% endfor %}",
    "a macro in itself": "{% macro f() %}{{ f() }}{{ f() }}{% endmacro %}{{ f() }}",
    "a call in itself": "{% macro f() %}{{ caller() }}{{ caller() }}{% endmacro %}{% macro g() %}{% call f() %}{{ g() }}{% endcall %}{% endmacro %}{{ g() }}",
    "a template in itself": "{% include 'tour.md' %}{% include 'tour.md' %}",
    "an imported template in itself": "{% import 'tour.md' as a %}{% import 'tour.md' as b %}",
    "a block in itself": "{% block b %}{{ self.b() }}{{ self.b() }}{% endblock %}",
    "doubled by ~": DOUBLED,
    "doubled by +": DOUBLED.replace("~", "+"),
    "doubled by join": DOUBLED.replace("x ~ x", "[x, x]|join"),
    "doubled by format": DOUBLED.replace("x ~ x", "'{0}{0}'.format(x)"),
    "doubled by set": "{% set x = 'xxxxxxxxxx' %}" + "{% set x %}{{ x }}{{ x }}{% endset %}" * 40 + "{{ x }}",
    "doubled lists": "{% set x = [1] %}" + "{% set x = x + x %}" * 40,
    "lists of lists": "{% set x = [1] %}" + "{% set x = [x, x] %}" * 40 + "{{ x }}",
    "tuples of tuples": "{% set x = (1, 2) %}" + "{% set x = (x, x) %}" * 40 + "{{ x }}",
    "mappings of mappings": "{% set x = {1: 2} %}" + "{% set x = {1: x, 2: x} %}" * 40 + "{{ x }}",
    "summed lists": "{% set x = [1] %}" + "{% set x = [x, x]|sum(start=[]) %}" * 40,
    "replaced": "{{ 'x'" + "|replace('x', 'xxxxxxxxxx')" * 12 + " }}",
    "replaced nothing": "{{ long|replace('', long) }}",
    "joined": "{{ long|join(long) }}",
    "mapped": "{{ [long, long, long, long, long]|map('replace', 'x', long)|list }}",
    "times": "{{ 'x' * 999999999 }}",
    "times a list": "{{ [1] * 999999999 }}",
    "to the power": "{{ 9 ** 999999999 }}",
    "numbers": "{% set x = 999999999 %}" + "{% set x = x * x %}" * 40,
    "rounded": "{{ 5 | round(-999999999) }}",
    "rounded up": "{{ 1.5 | round(999999999, 'ceil') }}",
    "padded": "{{ 'x'.ljust(999999999) }}",
    "padded by zeros": "{{ 'x'.zfill(999999999) }}",
    "with wide tabs": r"{{ '\t'.expandtabs(999999999) }}",
    "a wide format": "{{ '{:999999999}'.format(1) }}",
    "another wide format": "{{ '%999999999d' % 1 }}",
    "bytes": "{{ seats.to_bytes(999999999, 'big') }}",
    "centred": "{{ 'x' | center(999999999) }}",
    "indented": "{{ 'x' | indent(999999999) }}",
    "words of lipsum": "{{ lipsum(n=99999) }}",
    "printed again and again": "{{ long }}" * 40,
    "split again and again": "{% for a in long %}{% set b = long.split('x') %}{% endfor %}",
    "compared again and again": "{% set y = long + '' %}{% for a in long %}{% if y == long %}{% endif %}{% endfor %}",
    "looked through again and again": "{% for a in long %}{% set b = long.count('y') %}{% endfor %}",
    "sorted again and again": "{% for a in long %}{% set b = long|sort|length %}{% endfor %}",
}  # fmt: skip


@pytest.mark.parametrize("name", BOMBS)
def test_a_template_that_would_never_end_or_fill_the_memory_fails_at_once(name):
    begun = time.process_time()
    said = said_of(f"Hello\n{BOMBS[name]}\n")
    assert said.startswith("templates/tour.md:2: "), said
    assert time.process_time() - begun < 2


def test_a_long_mail_is_no_bomb():
    rows = "{% for one in many %}<tr><td>{{ loop.index }}. {{ one|upper }}, {{ first_name }}</td></tr>\n{% endfor %}"
    assert printed(rows).count("<tr>") == 1_000
    assert len(printed("word " * (LONGEST // 5))) == LONGEST
    assert "512,000 at most" in said_of("word " * (LONGEST // 5 + 1))


def test_check_tells_of_a_bomb_at_its_line_and_does_not_wait_for_it():
    begun = time.process_time()
    (problem,) = problems_with(tour_md=f"{{{{ ask }}}}\n\n{BOMBS['loops in loops']}\n")
    assert (problem.file, problem.line, problem.code) == ("templates/tour.md", 3, "E302")
    assert problem.message.startswith("this is more work than a mail can be")
    (problem,) = problems_with(tour_md=f"{{{{ ask }}}}\n{BOMBS['replaced']}\n")
    assert problem.line == 2
    assert time.process_time() - begun < 5


def test_a_mail_that_is_a_bomb_for_one_person_is_parked_and_stops_no_other(house):
    bomb = f"{{% if first_name == 'Eve' %}}{BOMBS['loops in loops']}{{% endif %}}\n\n{{{{ ask }}}}\n"
    house.deploy({"ladder": LADDER}, {"templates/body.md": bomb.encode()})
    for name in ("Eve", "Bob"):
        house.subscribe(f"{name.lower()}@example.com", first_name=name)
    house.work()
    assert [mail.to for mail in house.delivered] == ["bob@example.com"]
    (message,) = house.story("eve@example.com")["messages"]
    assert (message["state"], message["reason"][:46]) == ("failed", "templates/body.md:1: this is more work than a ")
