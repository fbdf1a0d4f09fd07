"""Every provider we speak to, by the name that settings use."""

from collections.abc import Mapping
from types import MappingProxyType

from nurture.providers.base import Provider
from nurture.providers.brevo import brevo
from nurture.providers.mailersend import mailersend
from nurture.providers.mailgun import mailgun
from nurture.providers.mailjet import mailjet
from nurture.providers.mandrill import mandrill
from nurture.providers.outbox import outbox
from nurture.providers.postmark import postmark
from nurture.providers.resend import resend
from nurture.providers.sendgrid import sendgrid
from nurture.providers.ses import ses
from nurture.providers.smtp import smtp
from nurture.providers.sparkpost import sparkpost
from nurture.providers.standard import standard
from nurture.providers.stripe import stripe

ALL = (
    outbox, smtp, ses, sendgrid, mailgun, postmark, resend, brevo, mailersend, mailjet, sparkpost, mandrill,
    standard, stripe,
)  # fmt: skip
PROVIDERS: Mapping[str, Provider] = MappingProxyType({provider.name: provider for provider in ALL})
