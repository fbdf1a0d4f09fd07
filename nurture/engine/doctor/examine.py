"""Every look that the doctor takes, one after the other; one that fails never stops the others."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType

from nurture.engine.doctor import listeners, machine, names, pools, reach, way_out
from nurture.engine.doctor.finding import Finding, Patient, fault

Look = Callable[[Patient], Iterable[Finding]]
LOOKS: Mapping[str, Look] = MappingProxyType(
    {
        "key": reach.key,
        "vendor": reach.vendor,
        "hooks": reach.hooks,
        "dns": names.check,
        "way out": way_out.check,
        "clock": machine.clock,
        "database": machine.database,
        "queues": machine.queues,
        "codes": pools.check,
        "listeners": listeners.check,
        "at work": machine.at_work,
    }
)


def examine(patient: Patient, looks: Mapping[str, Look] = LOOKS) -> list[Finding]:
    found: list[Finding] = []
    for check, look in looks.items():
        try:
            for finding in look(patient):
                found.append(finding)  # noqa: PERF402 - one by one: what was found before a failure is kept
        except Exception as error:  # noqa: BLE001 - whatever it is, it is a finding and the next look is taken
            words = f"{type(error).__name__}: {error}".splitlines()[0]
            found.append(fault(check, f"could not be looked at: {words[:200]}", "report this: it should not happen"))
    return found
