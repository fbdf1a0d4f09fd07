"""While mail goes out, the threads of a process that owns itself share one core; before and after, they do not."""

import os
from contextlib import suppress
from pathlib import Path

import pytest
from stage import LINKS, Stage

from nurture.engine.sending import Sender
from nurture.providers.base import Abilities, Account, Provider

ONE = """\
title: One mail
start: joined
from: Ada <ada@example.com>
steps:
  ask:
    subject: A question
    template: body.md
    ask: {click: Show me, to: https://example.com/tour}
    no: end
"""


def cores_of_all_threads():
    found = set()
    for thread in Path("/proc/self/task").iterdir():
        with suppress(ProcessLookupError):  # it ended meanwhile
            found.add(frozenset(os.sched_getaffinity(int(thread.name))))
    return found


@pytest.mark.parametrize("one_core", [True, False])
def test_threads_share_a_core_while_mail_goes_out_where_the_process_is_ours(store, one_core):
    before = cores_of_all_threads()
    seen = []

    def send(message):
        seen.append(cores_of_all_threads())
        return f"outbox-{message.id}"

    stage = Stage(store, {"one": ONE})
    stage.sender.close()
    provider = Provider("outbox", lambda account: send, abilities=Abilities())
    stage.sender = Sender(store, provider, Account("outbox"), LINKS, senders=2, one_core=one_core)
    for number in range(5):
        stage.subscribe(f"p{number}@example.com")
    stage.work()

    assert len(seen) == 5
    together = [cores for cores in seen if len(cores) == 1 and len(next(iter(cores))) == 1]
    if one_core:
        assert together, "all but for the moments in which the leading thread is let go"
    else:
        assert all(cores == before for cores in seen)
    assert cores_of_all_threads() == before
    stage.close()
