"""A provider that does not know the address one sequence is from takes the mail of the others all the same."""

from datetime import timedelta
from email.utils import parseaddr

from stage import Stage

from nurture.errors import Unavailable
from nurture.providers.base import Abilities, Account, Provider

ONE = """\
title: One
start: joined
from: Ada <SENDER>
within: 300 days
steps:
  hello:
    subject: From SENDER
    template: body.md
    ask: {click: Go, to: https://example.com/}
    no: end
"""
KNOWN, UNKNOWN = "ada@known.example", "ada@unknown.example"
PEOPLE = [f"p{number}@example.com" for number in range(5)]


class Esp:
    """Takes mail from the senders it knows, and keeps what it was asked and what it took."""

    def __init__(self, name, *known, batch=1):
        self.known, self.asked, self.took = set(known), [], []
        many = self._connect_many if batch > 1 else None
        self.provider = Provider(name, lambda account: self._send, abilities=Abilities(batch=batch), connect_many=many)
        self.account = Account(name, batch=batch > 1)

    def _send(self, message):
        sender = parseaddr(message.sender)[1]
        self.asked.append((sender, message.to, message.key))
        if sender not in self.known:
            raise Unavailable("the domain is not verified there", sender=True)
        self.took.append((sender, message.to))
        return f"{self.provider.name}-{len(self.took)}"

    def _connect_many(self, account):
        def send(messages):
            if not {parseaddr(message.sender)[1] for message in messages} <= self.known:
                raise Unavailable("a domain is not verified there", sender=True)  # as Resend answers, of them all
            return [self._send(message) for message in messages]

        return send

    def mailed(self, sender):
        return sorted(to for by, to in self.took if by == sender)


def staged(store, *esps):
    stage = Stage(store, {"good": ONE.replace("SENDER", KNOWN), "bad": ONE.replace("SENDER", UNKNOWN)})
    stage.send_through(*esps)
    for email in PEOPLE:
        stage.subscribe(email)
    return stage


def of(stage, sequence, email=PEOPLE[0]):
    return next(one for one in stage.story(email)["messages"] if one["sequence"] == sequence)


def test_mail_of_other_senders_leaves_and_that_of_the_unknown_one_waits_and_says_why(store):
    esp = Esp("postmark", KNOWN)
    stage = staged(store, esp)
    stage.work()
    assert esp.mailed(KNOWN) == PEOPLE
    for email in PEOPLE:
        waits = of(stage, "bad", email)
        assert (waits["state"], waits["reason"]) == (
            "planned", f"postmark takes no mail from {UNKNOWN}: the domain is not verified there",
        )  # fmt: skip
    asked = len(esp.asked)
    stage.subscribe("late@example.com")
    stage.after(minutes=4)
    assert "late@example.com" in esp.mailed(KNOWN)
    assert len(esp.asked) == asked + 1, "nobody is asked about again for five minutes"
    stage.close()


def test_it_goes_when_the_provider_knows_the_sender_and_nobody_is_mailed_twice(store):
    esp = Esp("postmark", KNOWN)
    stage = staged(store, esp)
    stage.work()
    esp.known.add(UNKNOWN)
    stage.after(minutes=6)
    assert esp.mailed(UNKNOWN) == esp.mailed(KNOWN) == PEOPLE
    stage.close()


def test_what_was_refused_is_written_anew_with_the_sender_that_a_deploy_mends(store):
    esp = Esp("postmark", KNOWN)
    stage = staged(store, esp)
    stage.work()
    refused = {to: key for sender, to, key in esp.asked if sender == UNKNOWN}
    assert refused
    stage.deploy({"good": ONE.replace("SENDER", KNOWN), "bad": ONE.replace("SENDER", KNOWN)})
    stage.after(minutes=6)
    assert esp.mailed(KNOWN) == sorted(PEOPLE * 2)
    keys = [key for sender, to, key in esp.asked if sender == KNOWN and to in refused]
    assert len(set(keys)) == len(keys)
    assert not set(refused.values()) & set(keys), "other bytes under the old key would be refused"
    stage.close()


def test_another_provider_that_knows_the_sender_takes_it_at_once(store):
    first, second = Esp("first", KNOWN), Esp("second", KNOWN, UNKNOWN)
    stage = staged(store, first, second)
    stage.work()
    stage.now += timedelta(seconds=5)
    stage.work()
    assert (first.mailed(KNOWN), second.mailed(KNOWN)) == (PEOPLE, [])
    assert (first.mailed(UNKNOWN), second.mailed(UNKNOWN)) == ([], PEOPLE)
    stage.close()


def test_a_call_for_many_that_is_refused_for_one_sender_is_asked_for_each(store):
    esp = Esp("resend", KNOWN, batch=100)
    stage = staged(store, esp)
    stage.work()
    assert (esp.mailed(KNOWN), esp.mailed(UNKNOWN)) == (PEOPLE, [])
    esp.known.add(UNKNOWN)
    stage.after(minutes=6)
    assert esp.mailed(UNKNOWN) == PEOPLE
    stage.close()


def test_a_new_key_may_be_another_accounts_so_nobody_waits_for_the_old_ones_refusal(store):
    esp = Esp("postmark", KNOWN)
    stage = staged(store, esp)
    stage.work()
    esp.known.add(UNKNOWN)
    stage.sender.renew({"postmark": Account("postmark", "another key")})
    stage.work()
    assert esp.mailed(UNKNOWN) == PEOPLE
    stage.close()
