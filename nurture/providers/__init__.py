"""Every provider we speak to, by the name that settings use."""

from collections.abc import Mapping
from types import MappingProxyType

from nurture.providers.base import Provider
from nurture.providers.brevo import brevo
from nurture.providers.mailersend import mailersend
from nurture.providers.mailgun import mailgun
from nurture.providers.mailgun_inbound import mailgun_inbound
from nurture.providers.mailjet import mailjet
from nurture.providers.mandrill import mandrill
from nurture.providers.outbox import outbox
from nurture.providers.postmark import postmark
from nurture.providers.postmark_inbound import postmark_inbound
from nurture.providers.resend import resend
from nurture.providers.sendgrid import sendgrid
from nurture.providers.sendgrid_inbound import sendgrid_inbound
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

INBOUND: Mapping[str, Provider] = MappingProxyType(
    {provider.name: provider for provider in (postmark_inbound, sendgrid_inbound, mailgun_inbound)}
)
"""What hands us the mail that people write back. It sends nothing."""

HOOKS: Mapping[str, Provider] = MappingProxyType(
    {name: provider for name, provider in {**PROVIDERS, **INBOUND}.items() if provider.verify is not None}
)
"""Everything that reports to us, by the last part of its address."""
