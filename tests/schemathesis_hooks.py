"""What schemathesis cannot read in the document. Loaded by tests/schemathesis."""

import base64
import itertools
import json
import os
import re
import urllib.request

import schemathesis
from hypothesis import strategies as st

BASE = os.environ["BASE"]
KEYS = json.load(open("keys.json"))
# Set when it is the operator's key that makes the requests: the tenant to act for.
TENANT = KEYS["tenant"]["id"] if os.environ["ROLE"] == "operator" else None
REQUESTS = itertools.count()
# The webhooks of listeners.
LISTENING = set()
OURS = re.compile("[a-z]+_[0-7][0-9a-hjkmnp-tv-z]{25}")


def ask(path, body=None):
    """What the daemon answers the tenant."""
    login = "{api_key}:{api_secret}".format(**KEYS["tenant"])
    login = base64.b64encode(login.encode()).decode()
    headers = {"Authorization": f"Basic {login}", "Content-Type": "application/json"}
    body = body and json.dumps(body).encode()
    with urllib.request.urlopen(urllib.request.Request(BASE + path, body, headers)) as answer:
        return json.load(answer)


def things():
    """A delivery to look at, to a port where nobody listens, and a replay. No request makes a
    delivery directly, so no answer would lead schemathesis to one."""
    webhook = ask("/v1/webhooks", {"url": "http://127.0.0.1:9/", "eventTypeNames": ["*"]})
    event = ask("/v1/events", {"event": "order.filled", "data": {"id": "ord_1"}})
    delivery = ask(f"/v1/events/{event['id']}/deliveries")["data"][0]
    replay = ask(f"/v1/webhooks/{webhook['id']}/replay", {"event": "kyc.decided"})
    return {"/v1/deliveries/{id}": delivery["id"], "/v1/replays/{id}": replay["id"]}


THINGS = things()

# A schema cannot say that the host of a URL is public.
HOST = "[a-z][a-z0-9]{0,20}[.]example"
schemathesis.openapi.format(
    "uri", st.from_regex(f"https?://{HOST}(/[a-z0-9]{{0,9}}){{0,3}}", fullmatch=True)
)


def public(webhook):
    """With another host, where the shortest that fits the pattern is 0, which is 0.0.0.0."""
    if isinstance(webhook, dict) and isinstance(webhook.get("url"), str):
        return {**webhook, "url": re.sub("^(https?://)0", r"\1a", webhook["url"])}
    return webhook


def named(body):
    """With the tenant, whom an operator must name as soon as there are two: no schema says that."""
    if isinstance(body, dict) and body.get("tenant") is None and body.get("role") != "operator":
        return {**body, "tenant": TENANT}
    return body


def all_named(batch):
    """With the tenant in each event of a batch, whichever of its two shapes it has."""
    if isinstance(batch, list):
        return [named(event) for event in batch]
    if isinstance(batch, dict) and isinstance(batch.get("events"), list):
        return {**batch, "events": all_named(batch["events"])}
    return batch


LISTENER = ask("/v1/openapi.json")["components"]["schemas"]["NewListener"]
EXCLUSIONS = LISTENER["properties"]["events"]["items"]["anyOf"][1]["enum"]


def left(listener):
    """Without what is to be left out: no schema says that something must be left."""
    if isinstance(listener, dict) and isinstance(listener.get("events"), list):
        events = [event for event in listener["events"] if event not in EXCLUSIONS]
        return {**listener, "events": events}
    return listener


def change(case, changed):
    """The body as `changed`. Only if it is another: schemathesis judges what is assigned anew, and
    no body at all, where none is needed, as one that is forbidden."""
    body = changed(case.body)
    if body is not case.body and body != case.body:
        case.body = body
        case.media_type = case.media_type or "application/json"


def hosted(webhook):
    """Without the URL, which the webhook of a listener has not: its schema is that of all webhooks."""
    if isinstance(webhook, dict):
        return {field: value for field, value in webhook.items() if field != "url"}
    return webhook


@schemathesis.hook
def after_call(context, case, response):
    if case.operation.path == "/v1/listeners/{name}" and case.method == "PUT":
        if response.status_code == 200:
            LISTENING.add(response.json()["webhook_id"])


@schemathesis.hook
def before_call(context, case, kwargs):
    path, parameters = case.operation.path, case.path_parameters or {}
    # The same key again would be answered with what may be deleted by now. tests/tests/idempotency.rs
    # has that; here every request is another.
    key = (case.headers or {}).get("Idempotency-Key")
    if isinstance(key, str) and re.fullmatch("[!-~]{1,200}", key):
        case.headers["Idempotency-Key"] = f"{key}-{next(REQUESTS)}"
    # Anybody may revoke the key in use. But from then on every answer would be 401.
    if case.method == "DELETE" and parameters.get("id") in [key["api_key"] for key in KEYS.values()]:
        parameters["id"] = "apk_00000000000000000000000000"
    for beginning, thing in THINGS.items():
        if path.startswith(beginning) and OURS.fullmatch(str(parameters.get("id"))):
            parameters["id"] = thing
    if path in ("/v1/webhooks", "/v1/webhooks/{id}") and case.method in ("POST", "PATCH"):
        change(case, public)
    if case.method == "PATCH" and parameters.get("id") in LISTENING:
        change(case, hosted)
    listeners = path.startswith("/v1/listeners/")
    if listeners and case.method == "PUT":
        change(case, left)
    if TENANT is None:
        return
    if listeners and case.method == "PUT":
        change(case, lambda body: named(body if isinstance(body, (dict, list)) else {}))
    elif listeners:
        case.query = {"tenant": TENANT, **(case.query or {})}
    elif path == "/v1/events" and case.method == "GET":
        case.query = {"tenant": TENANT, **(case.query or {})}
    elif path in ("/v1/events", "/v1/webhooks", "/v1/keys") and case.method == "POST":
        change(case, named)
    elif path == "/v1/events/batch":
        change(case, all_named)
