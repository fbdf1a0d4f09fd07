"""Email addresses as people type them, made one: what is refused, and why."""

from __future__ import annotations

from email_validator import EmailNotValidError, validate_email

from nurture.errors import Refused


def normalise(text: str) -> str:
    """The one spelling of an address that we keep: trimmed, NFC, lower case. Raises Refused with the reason.

    RFC 5321 lets the part before the @ depend on case; no mailbox provider does, and two enrollments of one person
    because of a capital letter would mail them twice.
    """
    typed = text.strip()
    if not typed:
        raise Refused("there is no email address here; write it like ann@example.com")
    try:
        # no DNS: whether a domain takes mail is for the provider to find out, and tests run without a network
        found = validate_email(typed, check_deliverability=False, allow_smtputf8=True, test_environment=True)
    except EmailNotValidError as error:
        shown = (typed if len(typed) <= 80 else f"{typed[:77]}...").encode("unicode_escape").decode()
        raise Refused(f"'{shown}' is not an email address: {error}") from None
    return found.normalized.lower()
