"""Every provider that reports: recorded words, each tried without its proof, altered, late, twice, and among broken ones."""

import json
from dataclasses import replace
from datetime import timedelta
from random import Random
from urllib.parse import urlencode

import pytest
from stage import LINKS, Stage
from test_signatures import ALL, ANOTHER, SIGN, SIGN_A_TIME, recorded

from nurture.engine.inbox import Inbox
from nurture.engine.receive import receive
from nurture.errors import BadSignature
from nurture.providers import HOOKS, INBOUND, PROVIDERS

REPORTERS = sorted(HOOKS.keys() - INBOUND.keys())
LISTS = {"sendgrid", "brevo", "mailjet", "sparkpost", "mandrill"}
"""Who posts several reports in one hook; the others post one, so that several hooks are the batch."""


def hooks(name):
    return [recorded(name, told) for of, told in (param.values for param in ALL) if of == name]


def test_nobody_who_reports_lacks_a_recording_a_proof_and_another_secret():
    assert {param.values[0] for param in ALL} == set(REPORTERS) == set(SIGN) == set(ANOTHER)


def test_whoever_covers_a_time_is_tried_with_an_old_one():
    covers = {name for name in REPORTERS if PROVIDERS[name].abilities.covers in ("a token", "the body and its time")}
    # SendGrid repeats a hook for a day with the time it was made, so an old one is no forgery; its ids tell repeats
    assert covers - {"sendgrid"} == set(SIGN_A_TIME)


@pytest.mark.parametrize("name", REPORTERS)
def test_every_recorded_hook_is_refused_with_a_wrong_secret_a_changed_body_and_an_old_time(name):
    for one in hooks(name):
        one.provider.verify(one.hook, one.account, one.now)
        tries = [(one.hook, replace(one.account, hook_secrets=(ANOTHER[name],)), one.now)]
        if one.provider.abilities.covers.startswith("the body"):
            changed = one.hook.body.replace(b"example", b"elsewhere", 1)
            changed = changed if changed != one.hook.body else one.hook.body + b" "
            tries.append((replace(one.hook, body=changed), one.account, one.now))
        if name in SIGN_A_TIME:
            tries.append((one.hook, one.account, one.now + timedelta(hours=13)))
        for hook, account, now in tries:
            with pytest.raises(BadSignature):
                one.provider.verify(hook, account, now)


@pytest.mark.parametrize("name", REPORTERS)
def test_every_recorded_hook_twice_and_shuffled_with_a_broken_one_tells_what_it_tells_once(store, name):
    """The broken one alone is set aside; what comes again changes nothing."""
    stage = Stage(store, {})
    come = [one.hook for one in hooks(name)]
    if name in LISTS:
        items = [item for one in hooks(name) for item in one.provider.items(one.hook)]
        come = [replace(come[0], body=_batch(name, [*items, {"event": "x", "msys": {"a": {"type": "open"}}}]))]
    else:
        come.append(replace(come[0], body=b'{"neither": "of these"}'))
    Random(name).shuffle(come)
    first = _arrive(stage, name, come)
    assert first.hooks == len(come)
    # what is told of people and products that nobody here knows is set aside too, to be told again once they are known
    assert first.quarantined == 1 if PROVIDERS[name].told is None else first.quarantined >= 1
    assert _arrive(stage, name, come).hooks == 0
    stage.close()


def _arrive(stage, name, come):
    """All in one pass."""
    inbox = Inbox(stage.store)
    for hook in come:
        inbox.keep(name, hook.headers, hook.body, stage.now)
    inbox.close()
    return receive(stage.store, stage.deployed, LINKS, stage.now)


def _batch(name, items):
    Random(1).shuffle(items)
    body = json.dumps(items).encode()
    return urlencode({"mandrill_events": body}).encode() if name == "mandrill" else body
