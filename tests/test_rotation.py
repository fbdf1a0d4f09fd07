"""`nurture run` with hooks of three providers, whose secrets are rotated while it runs."""

import os
import re
import signal

import httpx
from test_run import Project, until

SECRETS = """\
NURTURE_PROVIDERS__POSTMARK__HOOK_SECRET={postmark}
NURTURE_PROVIDERS__RESEND__HOOK_SECRET=whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw
NURTURE_PROVIDERS__SENDGRID_INBOUND__HOOK_SECRET={inbound}
"""
DELIVERY = {"RecordType": "Delivery", "MessageID": "a", "DeliveredAt": "2026-06-01T10:00:00Z", "Recipient": "a@x.org"}


def test_secrets_are_rotated_while_reports_come(tmp_path):
    project = Project(tmp_path, {"NURTURE_SECRET_KEY": "a key for tests only, long enough"})
    secrets = tmp_path / ".env"
    secrets.write_text(SECRETS.format(postmark="a:old", inbound="b:old"))
    with project.engine("--port", "0") as address:
        process = int(re.search(r"process (\d+)", (tmp_path / "nurture.db.lock").read_text())[1])

        def post(provider, login, **body):
            return httpx.post(f"{address}/hooks/{provider}", auth=tuple(login.split(":")), **body).status_code

        assert post("postmark", "a:old", json=DELIVERY) == 200
        assert post("sendgrid-inbound", "b:old", data={"text": "x"}) == 200
        assert post("resend", "a:old", json={}) == 401
        # both are good for as long as the vendor needs, then only the new one
        secrets.write_text(SECRETS.format(postmark='["a:new", "a:old"]', inbound="b:new"))
        os.kill(process, signal.SIGHUP)
        until(lambda: post("postmark", "a:new", json=DELIVERY) == 200)
        assert post("postmark", "a:old", json=DELIVERY) == 200
        assert post("sendgrid-inbound", "b:new", data={"text": "x"}) == 200
        assert post("sendgrid-inbound", "b:old", data={"text": "x"}) == 401
        secrets.write_text("NURTURE_PROVIDERS__NOBODY__KEY=x\n")
        os.kill(process, signal.SIGHUP)
        secrets_after = SECRETS.format(postmark="a:newest", inbound="b:new")
        assert post("postmark", "a:new", json=DELIVERY) == 200, "faulty settings change nothing"
        secrets.write_text(secrets_after)
        os.kill(process, signal.SIGHUP)
        until(lambda: post("postmark", "a:newest", json=DELIVERY) == 200)
        assert post("postmark", "a:old", json=DELIVERY) == 401
    kept = project.run("hooks", "--json").stdout
    assert '"postmark"' in kept
