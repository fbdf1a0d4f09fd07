"""The badges' page and pictures: by the link in the mail, for whoever has it; nothing of it changes anything."""

import re
from io import BytesIO

import pytest
from PIL import Image
from stage import LINKS
from test_asks_browser import fits, opened
from test_badges import BODY, LADDER, MJML
from test_web import Visited

from nurture.engine.show import person
from nurture.mail.effort import LOOKS, look_of
from nurture.web.medal import SIZE, medal

TITLES = {"curious": "Curious <1>", "keen": "Keen", "home": "At home"}


def walked(store, template="shown.md", body=BODY):
    text = LADDER.replace("TEMPLATE", template)
    stage = Visited(store, {"loans": text}, {f"templates/{template}": body.encode()})
    stage.subscribe(sequence="loans")
    stage.work()
    stage.answer(stage.mail("Which?"), "home")
    stage.work()
    return stage, stage.mail("You are Curious <1>, At home, 1 / 3")


def page_of(mail):
    (link,) = set(re.findall(r"https://go\.example\.com(/b/[^\s\"<)]+)\"", mail.html)) - set(pictures_of(mail))
    return link


def pictures_of(mail):
    return re.findall(r'src="https://go\.example\.com(/b/\d+\.png)"', mail.html)


@pytest.mark.parametrize(("template", "body"), [("shown.md", BODY), ("shown.mjml", MJML)])
def test_mails_show_a_picture_for_each_badge_and_lead_to_the_page(store, template, body):
    stage, mail = walked(store, template, body)
    assert pictures_of(mail) == [f"/b/{look_of('loans', name)}.png" for name in ("curious", "home")]
    assert f"At home: https://go.example.com{page_of(mail)}" in mail.text
    assert mail.text.count("/b/") == 1
    for path in pictures_of(mail):
        for answer in (stage.web.get(path), stage.web.head(path)):
            assert (answer.status_code, answer.headers["content-type"]) == (200, "image/png")
            assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
    stage.close()


def test_the_page_shows_what_was_earned_and_what_is_open_and_changes_nothing(store):
    stage, mail = walked(store)
    link = page_of(mail)
    before = person(store, "ann@example.com")
    shown = stage.web.get(link).text
    assert "Curious &lt;1&gt;" in shown
    assert shown.index("At home") < shown.index("Still to earn") < shown.index("Keen")
    assert "Monday 1 June" in shown
    assert (stage.web.post(link).status_code, stage.web.head(link).status_code) == (405, 200)
    assert stage.web.get(f"{link}x").status_code == stage.web.get("/b/nobody").status_code == 404
    assert person(store, "ann@example.com") == before
    stage.click(mail)
    stage.after(minutes=2)
    shown = stage.web.get(link).text  # the link of an earlier mail shows what is so now
    assert "Still to earn" not in shown
    assert "You have them all." in shown
    stage.close()


def test_another_purpose_opens_no_page_of_badges(store):
    stage, mail = walked(store)
    token = LINKS.unsubscribe(mail.id).rpartition("/")[2]
    assert stage.web.get(f"/b/{token}").status_code == 404
    stage.close()


def test_a_sequence_without_badges_has_no_page(store):
    stage, mail = walked(store)
    bare = LADDER.replace("TEMPLATE", "shown.md").replace("    award: curious\n", "")
    head, _, steps = bare.partition("badges:")
    stage.deploy({"loans": f"{head}steps:{steps.partition('steps:')[2]}"}, {"templates/shown.md": b"{{ ask }}"})
    assert stage.web.get(page_of(mail)).status_code == 404
    stage.close()


@pytest.mark.parametrize("path", [f"/b/{LOOKS}.png", "/b/-1.png", "/b/x.png", "/b/9999999999999999999999.png"])
def test_there_are_no_other_pictures(store, path):
    stage, _ = walked(store)
    assert stage.web.get(path).status_code == 404
    stage.close()


def test_pictures_differ_and_are_small():
    drawn = {look: medal(look) for look in (0, 5, LOOKS // 2, LOOKS - 1)}
    assert len(set(drawn.values())) == 4
    for body in drawn.values():
        assert len(body) < 12_000
        assert Image.open(BytesIO(body)).size == (SIZE, SIZE)
    assert len({look_of("loans", f"badge{number}") for number in range(20)}) > 15


def test_the_page_is_good_on_the_narrowest_and_a_wide_screen_without_javascript(browser, store):
    """What axe says of it is asked where every page is walked through."""
    stage, mail = walked(store)
    page, faults = opened(browser, stage, java_script_enabled=False)
    for width in (320, 1280):
        page.set_viewport_size({"width": width, "height": 720})
        page.goto(page_of(mail))
        assert (fits(page), faults) == (True, [])
        assert page.locator("img").evaluate_all("all => all.every(one => one.naturalWidth > 0)")
    page.context.close()
    stage.close()
