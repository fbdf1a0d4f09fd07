"""Every provider we speak to, by the name that settings use."""

from collections.abc import Mapping
from types import MappingProxyType

from nurture.providers.base import Provider
from nurture.providers.brevo import brevo
from nurture.providers.mailgun import mailgun
from nurture.providers.mailjet import mailjet
from nurture.providers.outbox import outbox
from nurture.providers.postmark import postmark
from nurture.providers.resend import resend
from nurture.providers.sendgrid import sendgrid
from nurture.providers.ses import ses
from nurture.providers.smtp import smtp

ALL = (outbox, smtp, ses, sendgrid, mailgun, postmark, resend, brevo, mailjet)
PROVIDERS: Mapping[str, Provider] = MappingProxyType({provider.name: provider for provider in ALL})
