"""Requests of Meta's SDKs for PHP, Java and Ruby, written by hand from their sources: they cannot be installed here.

What each of them does oddly is done here in the same way. The hashes are those that the SDK would have made.
"""

import hashlib
import json
from urllib.parse import quote, urlencode

JSON = "application/json; charset=utf-8"


def hashed(value):
    return hashlib.sha256(value.encode()).hexdigest()


def event(event_id, now, **more):
    return {
        "event_name": "Purchase", "event_time": now, "event_id": event_id, "action_source": "website",
        "event_source_url": "https://shop.example/thanks",
        "user_data": {
            "em": [hashed("jane@example.com")], "ph": [hashed("12025550123")], "fn": [hashed("jane")],
            "country": [hashed("us")], "external_id": ["User-42"], "client_user_agent": "Mozilla/5.0",
        },
        "custom_data": {"value": 142.52, "currency": "usd", "contents": [{"id": "A-1", "quantity": 1}]}, **more,
    }


def multipart(fields, boundary, labels=""):
    """A multipart body; `labels` are headers that every part gets beside its name."""
    body = "".join(
        f'--{boundary}\r\n{labels}Content-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in fields.items()
    )
    return f"{body}--{boundary}--\r\n".encode()


def php(dataset, token, events):
    """curl with an array of fields. Absent objects are null."""
    nulls = {"app_data": None, "original_event_data": None, "attribution_data": None}
    boundary = "------------------------d74496d66958873e"
    fields = {"access_token": token, "data": json.dumps([{**event, **nulls} for event in events])}
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}", "User-Agent": "fbbizsdk-php-v25.0.1",
        "Accept-Encoding": "*",
    }
    return f"/v25.0/{dataset}/events", headers, multipart(fields, boundary)


def php_async(dataset, token, events):
    """Guzzle; each part says that it is multipart itself, and how long it is."""
    boundary = "1f2e3d4c5b6a79888796a5b4c3d2e1f0a1b2c3d4"
    fields = {"access_token": token, "data": json.dumps(events), "partner_agent": "shop-agent"}
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}", "User-Agent": "fbbizsdk-php-v25.0",
        "Accept-Encoding": "*",
    }
    body = multipart(fields, boundary, labels="Content-Type: multipart/form-data\r\n")
    return f"/v25.0/{dataset}/events", headers, body


def java(dataset, token, events):
    """HttpsURLConnection; the boundary is made of dashes and a number, which may be negative."""
    boundary = "---------------------------5208467021394857"
    fields = {"data": json.dumps(events), "access_token": token, "appsecret_proof": hashed("not a proof")}
    headers = {
        "Content-Type": f"multipart/form-data; boundary={boundary}", "User-Agent": "fbbizsdk-java-v26.0.0",
        "Accept": "text/html, image/gif, image/jpeg, *; q=.2, */*; q=.2",
    }
    return f"/v26.0/{dataset}/events", headers, multipart(fields, boundary)


def ruby(dataset, token, events):
    """Faraday: a form whose events are JSON texts, with the token in the query."""
    fields = {"data": json.dumps([json.dumps(event) for event in events]), "test_event_code": ""}
    headers = {"Content-Type": "application/x-www-form-urlencoded", "User-Agent": "fbbizsdk-ruby-v25.0.3"}
    return f"/v25.0/{dataset}/events?access_token={quote(token)}", headers, urlencode(fields).encode()


def php_gateway(dataset, token, events):
    """CAPIGatewayEndpoint of PHP."""
    body = json.dumps({"data": events, "accessKey": token})
    return f"/capi/{dataset}/events", {"Content-Type": "application/json; charset=utf-8"}, body.encode()


def java_gateway(dataset, token, events):
    """CAPIGatewayEndpoint of Java."""
    body = json.dumps({"accessKey": token, "data": events})
    return f"/capi/{dataset}/events", {"Content-Type": JSON, "User-Agent": "okhttp/4.12.0"}, body.encode()


SHAPES = [php, php_async, java, ruby, php_gateway, java_gateway]
