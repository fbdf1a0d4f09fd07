"""A hundred thousand people of half a year, as rows of the shape that the engine leaves behind: four mails and ten events
each, reports of providers, purchases."""

import json
from datetime import timedelta

import psycopg
from sqlalchemy import insert

from nurture.store import tables

FIRST = 1_000
"""The number of the first; before it is room for people whom the engine has really mailed."""

BATCH = 5_000
STATES = ("delivered",) * 94 + ("planned", "sent", "bounced", "failed", "unknown", "cancelled")
EVENTS = ("asked", "delivered", "opened", "clicked", "kept", "waiting", "drawn", "delivered", "opened", "opened")
ARMS = ("tour", "end")


def fill(store, people, sequence, now):
    steps = list(sequence.steps)
    root = sequence.name
    last = FIRST + people
    for first in range(FIRST, last, BATCH):
        numbers = range(first, min(first + BATCH, last))
        with store.write() as tx:
            tx.execute(insert(tables.subscriber), [person(n, now) for n in numbers])
            tx.execute(insert(tables.enrollment), [place(n, root, steps, now) for n in numbers])
            tx.execute(insert(tables.message), [mail(n, k, root, steps, now) for n in numbers for k in range(4)])
            tx.execute(insert(tables.event), [event(n, k, root, steps, now) for n in numbers for k in range(10)])
    with store.write() as tx:
        tx.execute(insert(tables.hook), [hook(n, now) for n in range(20_000)])
        tx.execute(insert(tables.event), [purchase(n, now) for n in range(FIRST, last, 9)])
    settle(store)


def settle(store):
    """What a database does by itself in its first minutes."""
    if store.dialect == "sqlite":
        with store.write() as tx:
            tx.exec_driver_sql("ANALYZE")
    else:
        url = store.url.set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute("VACUUM ANALYZE")


def person(n, now):
    return {
        "id": n, "email": f"person{n}@example.com", "status": "unsubscribed" if n % 50 == 0 else "active",
        "attributes": {"first_name": f"Ann {n}", "loan": ("home", "auto")[n % 2]},
        "tags": ["vip"] if n % 5000 == 0 else ["guide"], "bought": {}, "joined_at": now - timedelta(minutes=n % 90_000),
        "last_seen_at": now - timedelta(minutes=n % 9_000), "last_mail_at": now - timedelta(minutes=n % 5_000),
        "wishes": {"asks": ["copy"]} if n % 9_999 == 0 else {"days_apart": 7} if n % 10 == 0 else None,
    }  # fmt: skip


def place(n, sequence, steps, now):
    ended = n % 3 == 0
    answer = {"answers": {steps[0]: ["home", tables.to_micros(now - timedelta(days=8)), steps[0]]}, "asked": steps[:2]}
    return {
        "id": n, "subscriber": n, "sequence": sequence, "number": 1, "shard": n % 64,
        "phase": "ended" if ended else "waiting", "step": steps[n % len(steps)],
        "due_at": None if ended else now + timedelta(hours=1 + n % 500), "started_at": now - timedelta(days=9),
        "ended": ("goal" if n % 9 == 0 else "finished") if ended else None,
        "ended_at": now - timedelta(hours=n % 900) if ended else None, "memory": answer if n % 2 else {"asked": steps[:1]},
    }  # fmt: skip


def mail(n, k, sequence, steps, now):
    sent = now - timedelta(minutes=(n * 4 + k) % 40_000)
    state = STATES[(n * 4 + k) % 100]
    return {
        "id": f"{int(sent.timestamp() * 1000):011x}{n:010d}{k}", "enrollment": n, "subscriber": n, "shard": n % 64,
        "sequence": sequence, "step": f"{steps[k % len(steps)]}{k // len(steps) or ''}", "state": state,
        "planned_at": sent, "due_at": now + timedelta(days=1) if state == "planned" else None, "owner": "", "token": 0,
        "attempt": 1, "uncertain": 0, "started_at": sent, "deadline": sent, "sent_at": None if state == "planned" else sent,
        "provider": "outbox", "provider_id": f"p{n}-{k}", "key": "", "subject": "One question", "target": "", "reason": "",
    }  # fmt: skip


def event(n, k, sequence, steps, now):
    at = now - timedelta(minutes=(n * 10 + k) % 90_000)
    kind = EVENTS[k]
    detail = {"kept": {"answer": "home"}, "drawn": {"way": "no", "split": "tour 50%, end 50%"}}
    return {
        "key": None, "at": at, "received_at": at, "kind": kind, "message": f"m{n}-{k // 3}", "enrollment": n,
        "subscriber": n, "sequence": sequence, "step": steps[0 if kind == "drawn" else k % len(steps)], "provider": "",
        "url": "", "answer": None, "human": 1 if kind == "clicked" else None,
        "reason": ARMS[n % 2] if kind == "drawn" else "", "judged_at": at if kind == "clicked" else None,
        "detail": detail.get(kind, {}),
    }  # fmt: skip


def purchase(n, now):
    return {
        **event(n, 0, "", [""], now), "kind": "bought", "message": "", "enrollment": None, "reason": "review",
        "detail": {"amount": 99, "currency": "GBP"},
    }  # fmt: skip


def hook(n, now):
    body = json.dumps({"number": n}).encode()
    return {
        "provider": "postmark", "digest": n.to_bytes(20), "received_at": now, "headers": {}, "body": body,
        "state": "quarantined" if n % 5000 == 7 else "applied", "error": "",
    }  # fmt: skip
