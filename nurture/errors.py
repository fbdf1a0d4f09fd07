"""Every error this project raises on purpose, sorted by what the caller can do next.

NurtureError
├── SequenceError      files have faults: the marketer mends them (carries `problems`)
├── SettingsError      a setting is missing or wrong: the operator mends it
├── Refused            an input was refused (an address, an event, a CSV cell): the sender mends it
├── RenderError        a mail cannot be written for one person: it alone stops, the marketer mends the template
├── Outdated           another version was deployed meanwhile: begin again with that one
├── StoreError         the database cannot be used: locked, newer, unreachable, full
├── DeliveryError      a provider did not take a mail
│   ├── Rejected       refused for good: do not try this message again
│   ├── Unavailable    it took nothing: try again later (`retry_after`, `gate`, `sender`)
│   └── Uncertain      it may have gone out: never try blindly
├── BadSignature       a hook is not from whom it says
└── BadToken           a link was cut, forged or made for something else
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from nurture.language.problems import Problem


class NurtureError(Exception):
    """One line: what is wrong, where, and how to mend it."""


class SequenceError(NurtureError):
    """Files have faults; `problems` lists them all."""

    def __init__(self, problems: tuple[Problem, ...]) -> None:
        super().__init__("\n".join(str(problem) for problem in problems))
        self.problems = problems


class SettingsError(NurtureError):
    """A setting is missing or wrong."""


class Refused(NurtureError):
    """An input from outside was refused; nothing of it was kept."""


class RenderError(NurtureError):
    """A mail cannot be written for this person; the others are not held up."""


class Outdated(NurtureError):
    """Another version runs than the one this was decided with; nothing of it was kept."""


class StoreError(NurtureError):
    """The database cannot be used now."""


class DeliveryError(NurtureError):
    """A provider did not take a mail."""


class Rejected(DeliveryError):
    """The provider refused this message for good; it certainly did not go out."""


class Unavailable(DeliveryError):
    """The provider took nothing, for now.

    `retry_after` is in seconds, None when the provider did not say. `gate` is true when the fault is not this
    message's (a wrong key, a redirect): the provider is to be left alone until someone looks. `sender` is true when
    it does not know the address this mail is from: others' mail goes.
    """

    def __init__(
        self, reason: str, *, retry_after: float | None = None, gate: bool = False, sender: bool = False
    ) -> None:
        super().__init__(reason)
        self.retry_after = retry_after
        self.gate = gate
        self.sender = sender


class Uncertain(DeliveryError):
    """The request left and no answer proves what became of it: the mail may have gone out."""


class BadSignature(NurtureError):
    """A hook did not prove that it comes from its provider."""

    def __init__(self, reason: str = "signature missing or wrong", *, challenge: str | None = None) -> None:
        super().__init__(reason)
        self.challenge = challenge


class BadToken(NurtureError):
    """A link token was cut, forged, or made for another purpose."""
