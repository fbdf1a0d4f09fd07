"""What leaves is what vendors themselves publish of their interface: accepted as it is, refused with a field unknown there.

`.ci/npm` fetches the descriptions (OpenAPI), botocore has Amazon's and moto is a server that speaks it. Those of the
other vendors are in no package; what was read of them stands in contracts/, each with the document it was compared with.
"""

import copy
import json
import threading
from contextlib import contextmanager
from dataclasses import replace
from functools import cache, reduce
from pathlib import Path

import boto3
import botocore.session
import pytest
from botocore.validate import ParamValidator
from jsonschema import Draft202012Validator
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from test_providers import MESSAGE, STRANGER, content, outcome, posted, sorted_as
from werkzeug.serving import WSGIRequestHandler, make_server

from nurture.providers import PROVIDERS
from nurture.providers.base import Account

PUBLISHED = Path(__file__).parent.parent / ".node" / "published"
PLACES = {
    "postmark": ("postmarkapp.com/server.json", "/email"),
    "sendgrid": ("sendgrid.com.json", "/mail/send"),
    "mandrill": ("mandrillapp.com.json", "/messages/send.json"),
}
LATER = {
    # https://postmarkapp.com/developer/api/email-api#send-a-single-email has the field, the description is older
    "postmark": (("properties",), {"Metadata": {"type": "object"}}),
    # twilio/sendgrid-oai since 2025 asks for no subject outside: each personalization may have its own
    "sendgrid": ((), {"required": ["personalizations", "from"]}),
    # made of an example: its `Reply-To` and its `website` stand for any header and any name
    "mandrill": (("properties", "message", "properties"), {"headers": {"type": "object"}, "metadata": {"type": "object"}}),
}  # fmt: skip
"""Where a vendor's pages of today know more than its description."""
MAPS = {"Metadata", "headers", "metadata", "custom_args"}
"""Objects whose names are ours to choose."""

MESSAGES = [MESSAGE, replace(MESSAGE, reply_to="", sender="mia@shop.example.com")]


@cache
def document(name):
    file = PUBLISHED / PLACES[name][0]
    assert file.is_file(), f"{file} is missing: .ci/npm fetches it"
    return json.loads(file.read_text())


@cache
def published(name):
    """The schema of the body, in one piece and closed."""
    operation = document(name)["paths"][PLACES[name][1]]["post"]
    schema = closed(document(name), operation["requestBody"])["content"]["application/json"]["schema"]
    path, more = LATER[name]
    reduce(lambda node, key: node[key], path, schema).update(more)
    return Draft202012Validator(schema, format_checker=Draft202012Validator.FORMAT_CHECKER)


def closed(whole, node):
    """What OpenAPI 3.0 means as JSON Schema, with no fields but those that an object names."""
    if isinstance(node, list):
        return [closed(whole, one) for one in node]
    if not isinstance(node, dict):
        return node
    if "$ref" in node:
        return closed(whole, reduce(lambda at, key: at[key], node["$ref"].removeprefix("#/").split("/"), whole))
    found = {key: closed(whole, value) for key, value in node.items()}
    if isinstance(found.get("properties"), dict):
        found.setdefault("additionalProperties", False)
    if found.pop("nullable", None) is True and "type" in found:
        found["type"] = [found["type"], "null"]
    return found


def strays(body):
    """This body with a field that nobody knows, in each of its objects in turn."""
    for path in objects(body, ()):
        other = copy.deepcopy(body)
        reduce(lambda node, key: node[key], path, other)["stray"] = "x"
        yield path, other


def objects(node, path):
    if isinstance(node, dict):
        yield path
    inside = node.items() if isinstance(node, dict) else enumerate(node) if isinstance(node, list) else ()
    for key, value in inside:
        if key not in MAPS:
            yield from objects(value, (*path, key))


@pytest.mark.parametrize("name", PLACES)
def test_a_request_is_what_its_vendor_publishes_and_a_field_unknown_there_is_refused(name):
    server, path = document(name)["servers"][0]["url"].partition("//")[2], PLACES[name][1].removesuffix(".json")
    for message in MESSAGES:
        request = posted(name, message)
        assert str(request.url).removeprefix("https://") == server + path
        body = content(request)
        published(name).validate(body)
        for where, stray in strays(body):
            assert not published(name).is_valid(stray), where


def test_a_request_to_ses_is_what_amazon_publishes_and_a_field_unknown_there_is_refused():
    operation = botocore.session.get_session().get_service_model("sesv2").operation_model("SendEmail")
    faults = ParamValidator()
    for message in MESSAGES:
        request = posted("ses", message)
        assert (request.method, request.url.path) == (operation.http["method"], operation.http["requestUri"])
        body = content(request)
        assert faults.validate(body, operation.input_shape).generate_report() == ""
        for where, stray in strays(body):
            assert "Unknown parameter" in faults.validate(stray, operation.input_shape).generate_report(), where
    del body["Content"]
    assert faults.validate(body, operation.input_shape).has_errors()


class Quiet(WSGIRequestHandler):
    def log_request(self, code="-", size="-"):
        pass


@contextmanager
def amazon():
    """moto's server, on a port of its own."""
    server = make_server("127.0.0.1", 0, DomainDispatcherApplication(create_backend_app), request_handler=Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_server_that_speaks_ses_takes_the_mail_from_a_sender_it_knows_in_the_region_that_we_sign_for():
    with amazon() as url:
        ours = {"aws_access_key_id": "AKIDEXAMPLE", "aws_secret_access_key": "wJalrXUtnFEMI"}
        theirs = boto3.client("sesv2", "eu-west-1", endpoint_url=url, **ours)
        quota = boto3.client("ses", "eu-west-1", endpoint_url=url, **ours).get_send_quota
        account = Account("ses", ":".join(ours.values()), url, region="eu-west-1")
        send = PROVIDERS["ses"].connect(account)
        assert sorted_as(outcome(send)) == STRANGER, "nobody has shown that this sender is ours"
        theirs.create_email_identity(EmailIdentity="shop.example.com")
        assert send(MESSAGE)
        assert quota()["SentLast24Hours"] == 1
        elsewhere = PROVIDERS["ses"].connect(replace(account, region="eu-central-1"))
        assert sorted_as(outcome(elsewhere)) == STRANGER
