"""The words of mails that were kept long enough: they go, and nothing goes of a mail that may yet leave."""

from dataclasses import replace
from datetime import timedelta

import pytest
from doors import LADDER
from sqlalchemy import text
from stage import Stage

from nurture.engine.mailed import mailed
from nurture.engine.outliving import drop_words
from nurture.settings import read_settings

YEAR = timedelta(days=365)


@pytest.fixture
def stage(store):
    built = Stage(store, {"ladder": LADDER})
    for name in ("ann", "ben", "eve", "kim"):
        built.subscribe(f"{name}@example.com")
    built.work()
    yield built
    built.close()


def kept(stage):
    with stage.store.read() as tx:
        known = {mail.id: mail.to.partition("@")[0] for mail in stage.delivered}
        return {known[one] for one in tx.execute(text("SELECT message FROM payload")).scalars()}


def in_state(stage, name, state, sent_at=None):
    values = {"id": stage.mail("Question", f"{name}@example.com").id, "state": state, "sent_at": sent_at}
    with stage.store.write() as tx:
        tx.execute(text("UPDATE message SET state = :state, sent_at = :sent_at WHERE id = :id"), values)


def test_they_go_when_their_time_is_over_and_never_of_a_mail_that_may_yet_leave(stage):
    rules = replace(stage.rules, keep_mails=YEAR)
    in_state(stage, "ben", "unknown")
    in_state(stage, "kim", "planned")
    planned, left = stage.now, stage.now + timedelta(seconds=1)
    assert not drop_words(stage.store, stage.rules, left + 9 * YEAR), "they are kept for good unless it is said"
    assert not drop_words(stage.store, rules, planned + YEAR)
    assert kept(stage) == {"ann", "ben", "eve", "kim"}
    assert drop_words(stage.store, rules, left + YEAR, batch=1), "and more are left"
    assert len(kept(stage)) == 3
    assert not drop_words(stage.store, rules, left + YEAR)
    assert kept(stage) == {"ben", "kim"}
    mine = mailed(stage.store, stage.rules, stage.mail("Question").id, stage.now)
    assert (mine["text"], mine["deleted"], mine["subject"], mine["state"]) == (None, True, "Question", "sent")
    in_state(stage, "ben", "abandoned")
    in_state(stage, "kim", "sent", int((left + YEAR).timestamp() * 1e6))  # it was held for all that time
    assert not drop_words(stage.store, rules, left + YEAR)
    assert kept(stage) == {"kim"}


def test_the_setting_is_a_length_of_time(tmp_path):
    assert read_settings(tmp_path).keep_mails is None
    assert read_settings(tmp_path, keep_mails="1 year").keep_mails == YEAR
