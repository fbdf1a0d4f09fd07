"""A stage whose ladder is edited while people are inside, as `nurture apply` does it."""

from stage import Stage

from nurture.engine.applying import Agreed, apply, preview
from nurture.engine.deploy import Current
from nurture.store import deploys

HEAD = "start: manual\nfrom: Ada <ada@example.com>\nwithin: 2 days\nsteps:\n"


def step(name, no, yes="end", more=""):
    return (
        f"  {name}:\n    subject: {name}\n    template: body.md\n    ask: {{click: Look, to: https://example.com/{name}}}\n"
        f"    yes: {yes}\n    no: {no}\n{more}"
    )


def ladder(*steps, changes=""):
    return HEAD + "".join(steps) + (f"changes:\n  {changes}\n" if changes else "")


BEFORE = ladder(step("one", "{after: 4 days, go: two}"), step("two", "three"), step("three", "end"))


class Edited(Stage):
    def files(self, text, name="ladder"):
        with self.store.read() as tx:
            _, files = deploys.latest(tx)
        kept = {path: body for path, body in files.items() if path != f"sequences/{name}.yaml"}
        return kept | ({f"sequences/{name}.yaml": text.encode()} if text else {})

    def plan(self, text, ends=()):
        return preview(self.store, self.files(text), self.rules, self.now, ends=ends)

    def edit(self, text, ends=()):
        files = self.files(text)
        found = preview(self.store, files, self.rules, self.now, ends=ends)
        done = apply(
            self.store, files, self.rules, self.now, Agreed(found.deployed, found.digest, found.ends), who="eve"
        )
        self.deployed = Current(self.store, self.rules)()
        return done

    def begin(self, *names):
        for name in names:
            self.subscribe(f"{name}@example.com", sequence="ladder")

    def at(self, name="ann"):
        place = self.place("ladder", f"{name}@example.com")
        return place["phase"], place["step"]

    def got(self, name="ann"):
        return self.subjects(f"{name}@example.com")
