"""Whether those who listen hear."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

from nurture.engine.doctor.finding import Finding, Patient, fault, ok, warning
from nurture.language.problems import counted
from nurture.store import notices

LATE = timedelta(minutes=10)


def check(patient: Patient) -> Iterator[Finding]:
    if patient.store is None or patient.deployed is None:
        return
    known = [one.name for one in patient.deployed.rules.listeners]
    with patient.store.read() as tx:
        standing = notices.standing(tx)
    for name in known:
        one = standing.get(name, notices.Standing())
        if one.failed:
            yield fault(
                "listeners",
                f"{name} did not hear {counted(one.failed, 'event')}: {one.error}",
                f"nurture listeners replay {name}",
            )
        elif one.oldest is not None and patient.now - one.oldest > LATE:
            said = f"{name} has not heard {counted(one.waiting, 'event')} yet, the oldest since {one.oldest:%d %b %H:%M} UTC"
            yield warning("listeners", f"{said}{one.error and f': {one.error}'}", f"nurture listeners try {name}")
        else:
            yield ok("listeners", f"{name} has heard everything")
    for name, one in standing.items():
        many = one.waiting + one.failed
        if name not in known and many:
            yield warning(
                "listeners", f"{counted(many, 'event')} {'is' if many == 1 else 'are'} for {name}, which the settings do not name",
                f"NURTURE_LISTENERS__{name.upper()}__URL",
            )  # fmt: skip
