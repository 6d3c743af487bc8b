#!/usr/bin/env python3
"""Plain personal data never leaves memory: not to disk, logs, metrics, answers of others, or Meta.

The gateway logs everything it can (`trace`). Clear values come in through every door, in every form, at the right
places and at wrong ones, in events that are taken, refused, torn and broken; tokens and keys come at right places and
wrong ones too. Then everything that was written is searched for any of them. (Every other proof ends with this search.)
"""

import base64
import gzip
import http.client
import json
import urllib.parse

from harness import prove
from processes import DATASET, Gateway, Sandbox, ask, until


def body(proof):
    sandbox = Sandbox(proof)
    gateway = Gateway(proof, sandbox, log="trace", graph={"timeout_s": 2})
    app_secret = proof.words.secret("appsecret")
    secret_file = proof.folder / "secrets" / "app"
    secret_file.write_text(app_secret)
    gateway.dataset_more = f'app_secret = {{ file = "{secret_file}" }}'
    sandbox.only_tokens(gateway.token)
    sandbox.token(gateway.token, app_secret=app_secret)
    gateway.start()

    taken, statuses = through_every_door(proof, gateway)
    statuses += wrong_places(proof, gateway)
    troubles(proof, sandbox, gateway)
    sandbox.faults("")
    taken += refusals(proof, sandbox, gateway)

    gateway.readyz()
    gateway.metrics()
    for path in ["/healthz", f"/{proof.words.marker}?email={proof.words.marker}"]:
        proof.other_texts.append(ask(gateway.port, "GET", path)[2])
    # What went to Meta in the clear would be the worst of all.
    received = sandbox.received()
    proof.other_texts.append(received)
    events = json.loads(received)["events"]
    proof.check(len(events) >= taken, f"{taken} events were taken, {len(events)} are searched as Meta got them")
    hashed = sum("em" in event["event"].get("user_data", {}) for event in events)
    proof.check(hashed >= taken // 2, "what is searched has hashed e-mail addresses")
    gateway.stop()
    audit = gateway.audit()
    proof.check(audit["balanced"], f"the books balance: {audit}")
    # The search proves something only if it would have found something: a copy with a clear value is found.
    proof.check(proof.words.marker.encode() in json.dumps(proof.event("x")).encode(), "events hold the clear values")
    log = gateway.process.text()
    # Libraries are never heard below `info`, and the gateway's own lines end at `debug`.
    proof.check(" DEBUG " in log or '"DEBUG"' in log, "the log has lines of level debug")
    proof.figure("requests with clear values", len(statuses))
    proof.figure("their answers", ", ".join(f"{statuses.count(it)} x {it}" for it in sorted(set(statuses))))
    proof.figure("events searched as Meta got them", len(events))


def sent(gateway, statuses, path, content, **headers):
    headers = {name.replace("_", "-"): value for name, value in headers.items()}
    try:
        status = ask(gateway.port, "POST", path, content, headers)[0]
    except (OSError, http.client.HTTPException):
        status = 0
    statuses.append(status)
    return status


def through_every_door(proof, gateway):
    statuses, number = [], 0
    bearer = f"Bearer {gateway.key}"
    key = urllib.parse.quote(gateway.key)

    def event(**custom):
        nonlocal number
        number += 1
        return proof.event(f"door-{number}", number, **custom)

    graph = f"/v26.0/{DATASET}/events"
    as_text = {"data": json.dumps([event()]), "access_token": gateway.key}
    boundary = "b0undary"
    multipart = "".join(
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {"access_token": gateway.key, "data": json.dumps([event()])}.items()
    ) + f"--{boundary}--\r\n"
    lines = "\n".join(json.dumps(event()) for _ in range(3))
    for path, content, headers in [
        ("/v1/events", json.dumps(event()), {"Authorization": bearer}),
        ("/v1/events", json.dumps([event(), event()]), {"Authorization": bearer}),
        ("/v1/events", json.dumps({"data": [event()]}), {"Authorization": bearer}),
        ("/v1/events", lines, {"Authorization": bearer, "Content_Type": "application/x-ndjson"}),
        ("/v1/events", gzip.compress(json.dumps(event()).encode()),
         {"Authorization": bearer, "Content_Encoding": "gzip"}),
        (f"{graph}?access_token={key}", json.dumps({"data": [event()]}), {"Content_Type": "application/json"}),
        (graph, json.dumps({"data": [event()], "access_token": gateway.key}), {"Content_Type": "application/json"}),
        (graph, urllib.parse.urlencode(as_text), {"Content_Type": "application/x-www-form-urlencoded"}),
        (graph, multipart, {"Content_Type": f"multipart/form-data; boundary={boundary}"}),
        (f"/capi/{DATASET}/events", json.dumps({"data": [event()], "accessKey": gateway.key}),
         {"Content_Type": "application/json"}),
    ]:
        status = sent(gateway, statuses, path, content, **headers)
        proof.check(status in (200, 202), f"{path} takes it: {status}")
    return number, statuses


def wrong_places(proof, gateway):
    """Clear values where they do not belong, and texts that break while they are read."""
    statuses, words = [], proof.words
    mail = f"{words.marker}@example.com"
    bearer = {"Authorization": f"Bearer {gateway.key}"}

    def changed(**changes):
        return {**proof.event(f"wrong-{len(statuses)}"), **changes}

    person = words.person(1)
    for event in [
        changed(event_source_url=f"https://shop.example/thanks?email={mail}&phone=%2B49{words.digits}"),
        changed(event_source_url=f"https://shop.example/{urllib.parse.quote(mail)}"),
        changed(referrer_url=f"https://shop.example/?user={mail}"),
        changed(custom_data={"currency": "EUR", "value": 1, "customer_email": mail, "note": f"call {mail}"}),
        changed(custom_data={"currency": mail, "value": words.marker}),
        changed(custom_data={"contents": [{"id": mail, "quantity": words.marker}]}),
        changed(event_name={"em": mail}), changed(event_time=mail), changed(action_source=mail),
        changed(user_data=mail), changed(user_data=[person]), changed(user_data={"em": {"value": mail}}),
        changed(user_data={"em": [[mail]], "ph": {"a": words.digits}}),
        changed(user_data={"email_address": mail, "phone_number": f"+49{words.digits}", "first": words.marker}),
        changed(user_data={"em": "x" * 5_000 + mail, "db": mail, "ge": words.marker, "country": words.marker,
                           "zp": mail, "fbc": mail, "fbp": mail, "client_ip_address": mail, "lead_id": mail}),
        changed(data_processing_options=[mail], data_processing_options_country=words.marker),
        changed(opt_out=mail, extinfo=mail, app_data={"extinfo": [mail]}),
        changed(**{mail: words.marker, words.marker: mail}),
        {"user_data": person}, {"em": mail, "ph": words.digits}, [person], mail,
    ]:
        sent(gateway, statuses, "/v1/events", json.dumps(event), **bearer)
        body = json.dumps({"data": [event], "access_token": gateway.key})
        sent(gateway, statuses, f"/v26.0/{DATASET}/events", body, Content_Type="application/json")
    whole = json.dumps(proof.event("torn"))
    for content in [
        whole[:-20], whole.replace(":", "=", 1), whole + "}", "{" + whole, f'{{"em": "{mail}', mail,
        whole.encode()[:-10] + b"\xff\xfe", gzip.compress(whole.encode())[:-4],
    ]:
        encoding = {"Content_Encoding": "gzip"} if content[:2] == b"\x1f\x8b" else {}
        sent(gateway, statuses, "/v1/events", content, **bearer, **encoding)
    encoded = urllib.parse.quote(mail)
    for path in [
        f"/v1/events?email={encoded}", f"/v1/events?test_event_code={encoded}", f"/v1/events?dataset={encoded}",
        f"/v26.0/{encoded}/events?access_token={gateway.key}", f"/{encoded}/{DATASET}/events", f"/{encoded}",
        f"/v1/events?access_token={gateway.key}", f"/capi/{encoded}/events?accessKey={gateway.key}",
    ]:
        sent(gateway, statuses, path, whole, **bearer)
    basic = base64.b64encode(gateway.key.encode()).decode()
    for headers in [
        {"Authorization": f"Basic {basic}"}, {"Authorization": gateway.key}, {"Authorization": f"Bearer {mail}"},
        {**bearer, "X-Request-Id": mail}, {**bearer, "User-Agent": mail}, {**bearer, "Content-Type": mail},
        {**bearer, "Content-Encoding": words.marker}, {**bearer, "X-Forwarded-For": mail},
    ]:
        sent(gateway, statuses, "/v1/events", whole, **headers)
    proof.equal([status for status in statuses if status >= 500 or status == 0], [], "answers that are none")
    return statuses


def troubles(proof, sandbox, gateway):
    """Every way in which delivery fails writes log lines; none may show the request."""
    for number, fault in enumerate([
        "500", "html 502", "empty 503", "reset", "half-body", "hang", "200-error", "throttle", "error 1 status 400",
    ]):
        sandbox.faults(f"{fault} x 1")
        gateway.post(proof.event(f"trouble-{number}"))
        gateway.drained(40)
    for state in ["expired", "revoked", "unknown", "no-access", "permission-denied"]:
        sandbox.token(gateway.token, state)
        gateway.post(proof.event(f"token-{state}"))
        until(lambda: gateway.lane()["state"] == "parked", 10, f"a token that is {state} parks the lane")
        sandbox.token(gateway.token)
        gateway.hang_up()
        gateway.drained(10)


def refusals(proof, sandbox, gateway):
    """Events that Meta refuses go into the journal with its words."""
    before = sandbox.stats()["requests"]
    events = [proof.event(f"refused-{number}", number) for number in range(10)]
    events[3]["custom_data"]["sandbox_refuse"] = "blind"
    events[6]["custom_data"]["sandbox_refuse"] = "index"
    gateway.post(events)
    gateway.drained(20)
    proof.check(sandbox.stats()["requests"] > before, "they were sent")
    return 8


if __name__ == "__main__":
    prove(__doc__, body)
