"""The decision: given where a person stands and what happened, what happens next.

One pure function, `advance`; beginnings are in `starting`, a yes in `keeping`. Nothing here sends, stores or reads a clock. The
engine, the story tests, the simulator and the property tests all call these and nothing beside them. The rules are
those of the language reference ("Clocks", "Late yes", "Never ask for what is done").
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from nurture.journey import timing
from nurture.journey.branching import UNSUBSCRIBE, Case, Outcome, added, end, follow, hold, resolve, says
from nurture.journey.enrollment import Ended, Enrollment, Facts, Grant, Send, changed
from nurture.journey.events import ENDS_EVERYTHING, Event, Kind
from nurture.journey.keeping import answered, in_flight, keep, yes_of
from nurture.journey.patience import deadline, patience
from nurture.journey.starting import is_it, may_start
from nurture.language.kinds import CLICKED, OUTSIDE
from nurture.language.sequence import END, Arm
from nurture.language.theirs import hands_over
from nurture.language.words import moment as read_moment

if TYPE_CHECKING:
    from datetime import datetime

    from nurture.language.sequence import Sequence, Step


PAUSED = "paused by themselves until"


def advance(sequence: Sequence, enrollment: Enrollment, event: Event, facts: Facts, now: datetime) -> Outcome:
    """What becomes of an enrollment when `event` reaches it at `now` (both UTC), and what the shell is to do.

    Total: an event that means nothing here leaves the enrollment as it is. The same report twice changes nothing the
    second time.
    """
    case = Case(sequence, facts, now)
    if event.kind in ENDS_EVERYTHING:
        leaves = event.kind is Kind.UNSUBSCRIBED and hands_over(sequence.name)  # what is theirs they get nevertheless
        if enrollment.ended is not None or leaves:
            return enrollment, ()
        return end(case, enrollment, ENDS_EVERYTHING[event.kind], event.kind.value)
    match event.kind:
        case Kind.STARTED:
            return _begin(case, enrollment)
        case Kind.DUE:
            return _due(case, enrollment)
        case Kind.SENT:
            return _left(case, enrollment, event), ()
        case Kind.MISSED:
            return _missed(case, enrollment, event), ()
        case Kind.CHANGED:
            return _changed(case, enrollment), ()
        case Kind.CLICKED:
            return _clicked(case, enrollment, event)
        case Kind.REPLIED:
            return _replied(case, enrollment, event)
        case Kind.ANSWERED:
            return answered(case, enrollment, event.step, event.answer, event.at, event.data)
        case Kind.HAPPENED:
            return _happened(case, enrollment, event)
        case _:
            return enrollment, ()


def _begin(case: Case, enrollment: Enrollment) -> Outcome:
    if enrollment.phase != "starting":
        return enrollment, ()
    return follow(case, enrollment, (Arm(go=case.sequence.start.go),), case.now, "the ladder began")


# --- time


def _due(case: Case, enrollment: Enrollment) -> Outcome:
    if enrollment.due_at is None or enrollment.due_at > case.now:
        return enrollment, ()
    if enrollment.judging_until is not None and enrollment.judging_until > case.now:
        return changed(enrollment, due_at=enrollment.judging_until, because="a click is being judged"), ()
    if enrollment.phase == "starting":
        begun = changed(enrollment, started_at=case.now, waits_for="")
        if may_start(case.sequence, enrollment.data, case.facts, None, case.now):
            return _begin(case, begun)
        if case.sequence.name in case.facts.subscriber.preferences.without:
            return end(case, begun, "removed", "its moment came, but they asked for nothing of it")
        why = says(case, case.sequence.start.condition, begun)
        return end(case, begun, "removed", f"its moment came, but {why}")
    if enrollment.phase == "asked":
        step = case.sequence.steps[enrollment.step]
        base = _end_of_patience(case, enrollment, step)
        return follow(case, enrollment, step.no.arms, base, f"no yes to {step.name} in the time given", by_no=True)
    if enrollment.step in (END, UNSUBSCRIBE):
        how: Ended = "unsubscribed" if enrollment.step == UNSUBSCRIBE else "finished"
        return end(case, enrollment, how, "the wait before the end is over", by_no=not enrollment.led_by)
    return _mail(case, enrollment, case.sequence.steps[enrollment.step])


def _end_of_patience(case: Case, enrollment: Enrollment, step: Step) -> datetime:
    """When the time given to answer was over: `due_at`, unless that was put off while an act was being judged."""
    due_at = enrollment.due_at or case.now
    if enrollment.judging_until is None or enrollment.last_mail_at is None or step.name not in enrollment.asked:
        return due_at
    return min(due_at, patience(case, enrollment, step, enrollment.last_mail_at))


def _mail(case: Case, enrollment: Enrollment, step: Step) -> Outcome:
    """A step's mail is due: send it, hold it, or find that there is nothing left to ask."""
    if step.root in enrollment.answers:
        why = f"{step.root} is kept, so {step.name} is not mailed"
        return follow(case, enrollment, yes_of(step, enrollment), case.now, why, led_by=step.root)
    if _done_key(step) in enrollment.done:
        why = f"{step.name} asks for what is done already, so it is not mailed"
        return follow(case, enrollment, step.yes.arms, case.now, why, led_by=step.root)
    if step.name in enrollment.asked:  # an edit moved it below where the person had it
        why = f"{step.name} was mailed before an edit moved it, so not again"
        return follow(case, enrollment, step.no.arms, case.now, why, by_no=True)
    if step.until is not None:
        limit = resolve(case, enrollment, step.until, after=enrollment.due_at or case.now)
        if limit is None or limit.over(case.now):
            why = f"{step.until.text} is {'unknown' if limit is None else 'over'}, so {step.name} is not mailed"
            return follow(case, enrollment, step.no.arms, case.now, why, by_no=True)
    own = case.facts.subscriber.preferences.paused_until
    # a person's wish goes before the author's `send: now`
    if own is not None and own > case.now and not hands_over(case.sequence.name):
        return changed(enrollment, due_at=own, because=f"{step.name} is held: {PAUSED} {own:%d %b %Y %H:%M} UTC"), ()
    at, held = hold(case, enrollment, step, case.now)
    if at > case.now:
        return changed(enrollment, due_at=at, because=f"{step.name} is held: {held}"), ()
    sent = changed(enrollment, phase="asked", due_at=None, waits_for="", fixed=False)
    if step.ask.kind != "buy" or step.root in sent.offers:
        return sent, (Send(step.name),)
    until = timing.round_up_to_minute(deadline(case, sent, step))
    grant = Grant(step.root, step.ask.name, step.ask.code, until)
    return changed(sent, offers=added(sent.offers, step.root, until)), (grant, Send(step.name))


# --- what became of the mail


def _left(case: Case, enrollment: Enrollment, event: Event) -> Enrollment:
    if event.step in enrollment.asked or event.step not in case.sequence.steps:
        return enrollment
    latest = event.at if enrollment.last_mail_at is None else max(event.at, enrollment.last_mail_at)
    enrollment = changed(enrollment, asked=(*enrollment.asked, event.step), last_mail_at=latest)
    if _came_too_late(case, enrollment, event.step):
        enrollment = changed(
            enrollment, phase="asked", step=event.step, due_at=None, waits_for="", fixed=False, led_by=""
        )
    return _start_clock(case, enrollment, event, f"{event.step} left")


def _came_too_late(case: Case, enrollment: Enrollment, left: str) -> bool:
    """Whether this mail had left when a late yes led above it: then the person stands here, and only forward."""
    ahead = case.sequence.steps.get(enrollment.step)
    if enrollment.phase not in ("waiting", "asked") or ahead is None:
        return False
    return ahead.position <= case.sequence.steps[left].position and (enrollment.phase, ahead.name) != ("asked", left)


def _missed(case: Case, enrollment: Enrollment, event: Event) -> Enrollment:
    """The mail will never leave; the person goes on as if the ask was not answered."""
    return _start_clock(case, enrollment, event, f"{event.step} could not be sent")


def _start_clock(case: Case, enrollment: Enrollment, event: Event, why: str) -> Enrollment:
    if enrollment.phase != "asked" or enrollment.step != event.step or enrollment.due_at is not None:
        return enrollment
    due_at = patience(case, enrollment, case.sequence.steps[event.step], event.at)
    return changed(enrollment, due_at=due_at, because=why)


# --- what people and programs did


def _clicked(case: Case, enrollment: Enrollment, event: Event) -> Outcome:
    step = case.sequence.steps.get(event.step)
    if step is None or step.ask.kind not in CLICKED:
        return enrollment, ()
    if event.human is None:
        return _judging(enrollment, event.judged_at), ()
    if not event.human:
        return enrollment, ()
    return answered(case, enrollment, step.name, "yes", event.at)


def _replied(case: Case, enrollment: Enrollment, event: Event) -> Outcome:
    """A reply is a yes where the mail asked for one; to any other mail it is only a happening."""
    step = case.sequence.steps.get(event.step)
    if step is None or step.ask.kind != "reply":
        return enrollment, ()
    return answered(case, enrollment, step.name, event.answer, event.at)


def _judging(enrollment: Enrollment, until: datetime | None) -> Enrollment:
    """What is due waits until the act has its verdict."""
    if until is None or enrollment.ended is not None:
        return enrollment
    if enrollment.judging_until is not None and enrollment.judging_until >= until:
        return enrollment
    return changed(enrollment, judging_until=until)


def _happened(case: Case, enrollment: Enrollment, event: Event) -> Outcome:
    wanted = [step for step in case.sequence.steps.values() if _is_asked(step, event)]
    for key in dict.fromkeys(_done_key(step) for step in wanted):
        if key not in enrollment.done and enrollment.ended is None:
            enrollment = changed(enrollment, done=added(enrollment.done, key, event.at))
    asked = [step for step in wanted if step.name in enrollment.asked]
    if enrollment.ended is None:
        goal = any(is_it(happening, event) for happening in case.sequence.goal)
        if goal or any(is_it(happening, event) for happening in case.sequence.stop):
            kept, effects = keep(case, enrollment, asked[-1], "yes", event.at) if asked else (enrollment, ())
            ended, ending = end(case, kept, "goal" if goal else "stopped", _words(event))
            return ended, (*effects, *ending)
    if asked:
        return answered(case, enrollment, asked[-1].name, "yes", event.at)
    ahead = case.sequence.steps.get(enrollment.step)
    if ahead is not None and ahead in wanted and in_flight(enrollment):
        why = f"{_words(event)}, so {ahead.name} is not mailed"
        return follow(case, enrollment, ahead.yes.arms, case.now, why, led_by=ahead.root)
    return enrollment, ()


def _changed(case: Case, enrollment: Enrollment) -> Enrollment:
    """A date we know of the person moved: move who waits for it."""
    if enrollment.ended is not None:
        return enrollment
    if enrollment.waits_for:
        when = resolve(case, enrollment, read_moment(enrollment.waits_for), after=case.now)
        if when is None or when.at == enrollment.due_at:
            return enrollment
        return changed(enrollment, due_at=when.at, because=f"{enrollment.waits_for} moved")
    step = case.sequence.steps.get(enrollment.step)
    if enrollment.phase == "asked" and enrollment.due_at is not None and step is not None and step.until is not None:
        when = resolve(case, enrollment, step.until, after=enrollment.last_mail_at or case.now)
        if when is not None and when.at != enrollment.due_at:
            return changed(enrollment, due_at=when.at, because=f"{step.until.text} moved")
    return enrollment


# --- small look-ups


def _is_asked(step: Step, event: Event) -> bool:
    """Whether this is what the step asks for. Friends add up, so more than it takes will do."""
    if event.happening == "friends":
        return step.ask.kind == "refer" and step.ask.friends <= int(event.name)
    return _done_key(step) == f"{event.happening}:{event.name}"


def _done_key(step: Step) -> str:
    if step.ask.kind == "refer":
        return f"friends:{step.ask.friends}"
    return f"{OUTSIDE[step.ask.kind]}:{step.ask.name}" if step.ask.kind in OUTSIDE else ""


def _words(event: Event) -> str:
    return f"{event.happening} {event.name}".strip()
