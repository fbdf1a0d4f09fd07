"""A language file: `home-loan.de.yaml` holds the words of `home-loan.yaml` in German, and nothing that decides.

What is read is a whole Sequence again, the same plan in other words, so that whoever writes a mail or a page only picks
the right one.
"""

from __future__ import annotations

from dataclasses import replace
from types import MappingProxyType
from typing import TYPE_CHECKING, NamedTuple

from nurture.language.asks import PLACEHOLDER
from nurture.language.badges import BADGE_KEYS
from nurture.language.faults import Faults
from nurture.language.form_words import pages_in_words
from nurture.language.kinds import KINDS
from nurture.language.proof import PROOF_KEYS
from nurture.language.reading import KEYS, LANGUAGE, SEQUENCE_NAME, Reading
from nurture.language.sequence import Mark
from nurture.language.steps import STEP_KEYS
from nurture.language.values import excused, line_of, table_of, text_of
from nurture.language.yaml import Items, Table, compose, marks, plain

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from nurture.language.sequence import AnswerKey, Ask, Badge, Proof, Sequence, Step
    from nurture.language.yaml import Node, Scalar

TOP_KEYS = ("title", "steps", "proof", "badges")
PROOF_WORDS = ("quote", "name")
WORD_KEYS = ("subject", "preheader", "with", "ask")
ASK_WORDS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {kind: form.words for kind, form in KINDS.items() if not form.later}
)
"""The keys of an ask that are words, by its kind. The first ones are needed; a price left out is the main file's."""
OPTIONAL = ("price",)


class LanguageFile(NamedTuple):
    """What a file's name says: whose words, and in which language as it is spelt there."""

    sequence: str
    language: str


def language_file(path: str) -> LanguageFile | None:
    """`home-loan.de.yaml` is home-loan in German; None for any other name."""
    base, _, language = path.rpartition("/")[2].removesuffix(".yaml").rpartition(".")
    if SEQUENCE_NAME.fullmatch(base) and LANGUAGE.fullmatch(language):
        return LanguageFile(base, language)
    return None


def read_translation(text: bytes | str, file: str, main: Sequence, language: str) -> Reading:
    """The main sequence in the words of this file, and every fault of the file. What is missing stays as it is there."""
    faults = Faults(file)
    root = compose(text, faults)
    if isinstance(root, Table):
        return Reading(_Words(main, language, faults).sequence(root), faults.in_order())
    if root is not None:
        faults.add("E103", root.mark, f"a language file has the words of {main.name}.yaml under steps:")
    elif not faults.found:
        faults.add("E309", Mark(1, 1), f"this file is empty; write the words of {main.name}.yaml here, under steps:")
    return Reading(None, faults.in_order())


class _Words:
    """The reading of one language file beside its main one."""

    def __init__(self, main: Sequence, language: str, faults: Faults) -> None:
        self.main, self.language, self.faults = main, language, faults
        self.belongs = f"belongs in {main.name}.yaml: a language file holds only words"

    def sequence(self, root: Table) -> Sequence | None:
        self._allow(root, TOP_KEYS, KEYS)
        title = root.get("title")
        node = root.get("steps")
        steps = None if node is None else table_of(node, self.faults, "steps")
        if node is None and not excused(root, "steps", TOP_KEYS):
            self._missing(Mark(1, 1), "this file has no steps; write the words of each under steps:")
        if steps is None:
            return None
        words = self.main.title if title is None else line_of(title, self.faults, "title")
        return replace(
            self.main,
            title=words or self.main.title,
            steps=self._steps(steps, root.keys["steps"].mark),
            proof=self._proof(root),
            badges=self._badges(root),
            language=self.language.replace("_", "-"),
            languages=MappingProxyType({}),
            stories=(),
            file=self.faults.file,
            marks=MappingProxyType(marks(root)),
        )

    def _steps(self, table: Table, at: Mark) -> Mapping[str, Step]:
        steps = self.main.steps
        for key, _ in table:
            if key.text not in steps:
                hint = self.faults.hint(key.text, steps)
                self.faults.add("E201", key.mark, f"{self.main.name}.yaml has no step '{key.text}'{hint}")
        found = {}
        for name, step in steps.items():
            body = table.get(name)
            if body is None:
                if not excused(table, name, steps):
                    self._missing(at, f"the step '{name}' is not here; write its {_needed(step)}")
                found[name] = step
            elif (words := table_of(body, self.faults, f"the step '{name}'")) is not None:
                found[name] = self._step(words, table.keys[name], step)
            else:
                found[name] = step
        # a step that asks again has the ask of the earlier one, so its words as well
        again = {name: replace(step, ask=found[step.root].ask) for name, step in found.items()}
        return MappingProxyType(again)

    def _step(self, table: Table, key: Scalar, step: Step) -> Step:
        self._allow(table, WORD_KEYS, STEP_KEYS)
        preheader = self._line(
            table, "preheader", key.mark, step.preheader, WORD_KEYS, f"'{step.name}' has no preheader"
        )
        ask = step.ask
        node = table.get("ask")
        if step.repeats:
            if node is not None:
                what = f"'{step.name}' asks {step.root} again, so the words of its ask stand there; remove this"
                self.faults.add("E103", table.keys["ask"].mark, what)
        elif ask is PLACEHOLDER:
            pass
        elif node is not None:
            inside = table_of(node, self.faults, "ask")
            ask = ask if inside is None else self._ask(inside, table.keys["ask"].mark, step)
        elif not excused(table, "ask", WORD_KEYS):
            self._missing(key.mark, f"'{step.name}' has no words for its ask; write ask: with {_ask_needs(step.ask)}")
        return replace(
            step, subjects=self._subjects(table, key, step), preheader=preheader, extra=self._extra(table, key, step),
            ask=ask,
        )  # fmt: skip

    def _subjects(self, table: Table, key: Scalar, step: Step) -> tuple[str, ...]:
        node = table.get("subject")
        if node is None:
            if not excused(table, "subject", WORD_KEYS):
                self._missing(key.mark, f"'{step.name}' has no subject; write subject: and its words")
            return step.subjects
        items = node.items if isinstance(node, Items) else [node]
        if len(items) != len(step.subjects):
            many = (
                f"{self.main.name}.yaml tests {len(step.subjects)} subjects here"
                if len(step.subjects) > 1
                else (f"{self.main.name}.yaml has one subject here")
            )
            self.faults.add("E309", node.mark, f"{many}, and this has {len(items)}; write as many, in the same order")
            return step.subjects
        return tuple(
            line_of(item, self.faults, "subject") or kept for item, kept in zip(items, step.subjects, strict=True)
        )

    def _extra(self, table: Table, key: Scalar, step: Step) -> Mapping[str, object]:
        node = table.get("with")
        inside = Table(key.mark) if node is None else table_of(node, self.faults, "with")
        if inside is None:
            return step.extra
        self._allow(inside, tuple(step.extra), ())
        missing = [
            name for name, value in step.extra.items() if _is_words(value) and inside.get(name) is None
            and not excused(inside, name, tuple(step.extra)) and not excused(table, "with", WORD_KEYS)
        ]  # fmt: skip
        for name in missing:
            at = key.mark if node is None else table.keys["with"].mark
            self._missing(at, f"'{step.name}' has no words for '{name}' of its with")
        return MappingProxyType({**step.extra, **{name.text: plain(value) for name, value in inside}})

    def _ask(self, table: Table, at: Mark, step: Step) -> Ask:
        ask = step.ask
        words = ASK_WORDS[ask.kind]
        for key, _ in table:
            if key.text in ASK_WORDS and key.text not in words and key.text != ask.kind:
                what = f"'{step.name}' asks a {ask.kind} in {self.main.name}.yaml; write {_ask_needs(ask)}"
                self.faults.add("E103", key.mark, what)
                return ask
        self._allow(table, words, (*ASK_WORDS, "size", *(key for form in KINDS.values() for key in form.keys)))
        found = {
            name: self._line(table, name, at, " ", words, f"the ask of '{step.name}' has no {name}")
            for name in words if name not in ("answers", "pages", *OPTIONAL)
        }  # fmt: skip
        line = next(iter(found.values())).strip()
        price = ask.price if (node := table.get("price")) is None else line_of(node, self.faults, "price")
        if ask.kind == "poll":
            return replace(ask, words=line or ask.words, answers=self._answers(table, at, step))
        label = line or ask.label
        if ask.kind == "form":
            pages = pages_in_words(table.get("pages"), at, ask.pages, step.name, self.faults)
            return replace(ask, words=label, label=label, pages=pages)
        return replace(ask, words=line or ask.words, label=label, price=price)

    def _answers(self, table: Table, at: Mark, step: Step) -> Mapping[AnswerKey, str]:
        known = step.ask.answers
        node = table.get("answers")
        if node is None:
            if not excused(table, "answers", ASK_WORDS["poll"]):
                self._missing(at, f"the ask of '{step.name}' has no answers; write answers: and the words of each")
            return known
        if (inside := table_of(node, self.faults, "answers")) is None:
            return known
        names = [str(name) for name in known]
        for key, _ in inside:
            if key.text not in names:
                hint = self.faults.hint(key.text, names) or f"; its answers are {', '.join(names)}"
                self.faults.add("E204", key.mark, f"'{step.name}' has no answer '{key.text}'{hint}")
        found = dict(known)
        for name in known:
            words = inside.get(str(name))
            if words is not None:
                found[name] = line_of(words, self.faults, f"the words of '{name}'") or known[name]
            elif not excused(inside, str(name), names):
                self._missing(table.keys["answers"].mark, f"the answer '{name}' of '{step.name}' has no words")
        return MappingProxyType(found)

    # --- what others said, and badges

    def _proof(self, root: Table) -> tuple[Proof, ...]:
        known, node = self.main.proof, root.get("proof")
        if node is None:
            if known and not excused(root, "proof", TOP_KEYS):
                self._missing(Mark(1, 1), "what others said is not here; write proof: with the quote: of each")
            return known
        if not isinstance(node, Items):
            self.faults.add("E103", node.mark, "proof is a list, each entry beginning with - quote:")
            return known
        if len(node.items) != len(known):
            what = f"{self.main.name}.yaml has {len(known)} of these, and this has {len(node.items)}"
            self._missing(node.mark, f"{what}; write as many, in the same order")
            return known
        return tuple(self._said(item, one) for item, one in zip(node.items, known, strict=True))

    def _said(self, node: Node, known: Proof) -> Proof:
        table = table_of(node, self.faults, "what someone said")
        if table is None:
            return known
        self._allow(table, PROOF_WORDS, PROOF_KEYS)
        quote, name = table.get("quote"), table.get("name")
        if quote is None and not excused(table, "quote", PROOF_WORDS):
            self._missing(table.mark, f"what {known.name} said has no words here; write quote: and the words")
        words = "" if quote is None else text_of(quote, self.faults, "quote").strip()
        who = "" if name is None else line_of(name, self.faults, "name")
        return replace(known, quote=words or known.quote, name=who or known.name)

    def _badges(self, root: Table) -> Mapping[str, Badge]:
        known, node = self.main.badges, root.get("badges")
        if node is None:
            if known and not excused(root, "badges", TOP_KEYS):
                self._missing(Mark(1, 1), "the badges are not here; write badges: with the title: of each")
            return known
        table = table_of(node, self.faults, "badges")
        if table is None:
            return known
        for key, _ in table:
            if key.text not in known:
                what = f"{self.main.name}.yaml has no badge '{key.text}'{self.faults.hint(key.text, known)}"
                self.faults.add("E205", key.mark, what)
        return MappingProxyType({name: self._badge(table, name, badge) for name, badge in known.items()})

    def _badge(self, table: Table, name: str, known: Badge) -> Badge:
        node = table.get(name)
        if node is None:
            if not excused(table, name, self.main.badges):
                self._missing(table.mark, f"the badge '{name}' is not here; write {name}: with its title:")
            return known
        words = table_of(node, self.faults, f"the badge '{name}'")
        if words is None:
            return known
        self._allow(words, ("title",), BADGE_KEYS)
        at = table.keys[name].mark
        title = self._line(words, "title", at, known.title, ("title",), f"the badge '{name}' has no title")
        return replace(known, title=title)

    # --- one value

    def _line(self, table: Table, name: str, at: Mark, there: str, keys: Collection[str], complaint: str) -> str:
        """The words under a key, `there` when they are missing; missing where the main file has some is a fault."""
        node: Node | None = table.get(name)
        if node is not None:
            return line_of(node, self.faults, name) or there
        if there and not excused(table, name, keys):
            self._missing(at, f"{complaint}; write {name}: and its words")
        return there

    def _missing(self, at: Mark, what: str) -> None:
        self.faults.add("E309", at, what)

    def _allow(self, table: Table, known: Collection[str], decide: Collection[str]) -> None:
        for key, _ in table:
            if key.text in known:
                continue
            if key.text in decide:
                self.faults.add("E101", key.mark, f"'{key.text}' {self.belongs}")
                continue
            hint = self.faults.hint(key.text, known) or f"; known here: {', '.join(known) or 'nothing'}"
            self.faults.add("E101", key.mark, f"unknown key '{key.text}'{hint}")


def _is_words(value: object) -> bool:
    return isinstance(value, str) and not value.startswith(("http://", "https://"))


def _ask_needs(ask: Ask) -> str:
    return " and ".join(f"{key}:" for key in ASK_WORDS[ask.kind] if key not in OPTIONAL)


def _needed(step: Step) -> str:
    needed = ["subject", *(["preheader"] if step.preheader else []), *([] if step.repeats else ["ask"])]
    return " and ".join([", ".join(needed[:-1]), needed[-1]] if len(needed) > 1 else needed)
