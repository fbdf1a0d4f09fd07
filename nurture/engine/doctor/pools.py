"""The pools that offers take their codes from."""

from __future__ import annotations

from collections.abc import Iterator

from nurture.engine.doctor.finding import Finding, Patient, fault, ok, warning
from nurture.engine.offering import LOW, fill
from nurture.language.problems import counted
from nurture.store import codes, wishes


def check(patient: Patient) -> Iterator[Finding]:
    if patient.store is None or patient.deployed is None:
        return
    asked = {
        step.ask.pool: f"{sequence.name}.{step.name}"
        for sequence in patient.deployed.sequences.values()
        for step in sequence.steps.values()
        if step.ask.pool
    }
    with patient.store.read() as tx:
        stocks, lines = codes.stocks(tx), wishes.lines(tx)
    for pool, step in sorted(asked.items()):
        if pool in patient.deployed.rules.shops:
            yield _shop(pool, step, lines.get(pool))
            continue
        left = stocks[pool].left if pool in stocks else 0
        says = f"the pool {pool}, which {step} takes codes from, has {left} left"
        if not left:
            yield fault("codes", f"{says}, so its mail waits", fill(pool))
        elif left < LOW:
            yield warning("codes", says, fill(pool))
        else:
            yield ok("codes", says)


def _shop(pool: str, step: str, line: wishes.Line | None) -> Finding:
    says = f"codes of {pool}, for {step}, come from the shop"
    if line is None or not line.error:
        return ok("codes", says)
    waits = f"{says}, which {line.error}; {counted(line.people, 'mail')} {'waits' if line.people == 1 else 'wait'} since {line.since:%Y-%m-%d %H:%M} UTC"
    return fault("codes", waits, f"see to the shop at NURTURE_CODES__{pool.upper()}__URL; it is asked again and again")
