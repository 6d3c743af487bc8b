"""Times Meta's Python SDK on one event: JSON text in, normalised and hashed JSON text out, in one thread.

python python_sdk.py purchase.json [--print | --request]

By default normalize() and dumps() alone are timed, the kindest measure. With --request the event goes through
EventRequest, the way the SDK documents, up to the bytes that its HTTP client would send.
"""

import json
import statistics
import sys
import time

from facebook_business.adobjects.serverside.action_source import ActionSource
from facebook_business.adobjects.serverside.content import Content
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.event_request import EventRequest
from facebook_business.adobjects.serverside.http_service_interface import HttpServiceInterface
from facebook_business.adobjects.serverside.user_data import UserData

WARM_UP = 2_000
ROUNDS = 7
EVENTS = 3_000


def user_data(user):
    return UserData(
        email=user["em"],
        phone=user["ph"],
        first_name=user["fn"],
        last_name=user["ln"],
        city=user["ct"],
        state=user["st"],
        zip_code=user["zp"],
        country_code=user["country"],
        client_ip_address=user["client_ip_address"],
        client_user_agent=user["client_user_agent"],
        fbc=user["fbc"],
        fbp=user["fbp"],
    )


def custom_data(custom):
    return CustomData(
        currency=custom["currency"],
        value=custom["value"],
        order_id=custom["order_id"],
        content_type=custom["content_type"],
        num_items=custom["num_items"],
        contents=[
            Content(product_id=content["id"], quantity=content["quantity"], item_price=content["item_price"])
            for content in custom["contents"]
        ],
    )


def server_events(raw):
    return [
        Event(
            event_name=event["event_name"],
            event_time=event["event_time"],
            event_id=event["event_id"],
            action_source=ActionSource(event["action_source"]),
            event_source_url=event["event_source_url"],
            user_data=user_data(event["user_data"]),
            custom_data=custom_data(event["custom_data"]),
        )
        for event in json.loads(raw)["data"]
    ]


def dumps(value):
    return json.dumps(value, separators=(",", ":"))


def payload(raw):
    return dumps({"data": [event.normalize() for event in server_events(raw)]})


class Client(HttpServiceInterface):
    """Stands where the SDK's HTTP client would: takes the parameters and makes the bytes."""

    def execute(self, url, method, request_options, headers, params):
        return dumps(params)


def request(raw):
    return EventRequest(
        pixel_id="1234567890123456",
        events=server_events(raw),
        http_client=Client(),
        access_token="token",
    ).execute()


def timed(make, raw, events):
    start = time.perf_counter_ns()
    for _ in range(events):
        make(raw)
    return round((time.perf_counter_ns() - start) / events)


def main():
    [path] = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    with open(path, "rb") as file:
        raw = file.read()
    if "--print" in sys.argv:
        print(payload(raw))
        return
    is_request = "--request" in sys.argv
    make = request if is_request else payload
    timed(make, raw, WARM_UP)
    samples = [timed(make, raw, EVENTS) for _ in range(ROUNDS)]
    print(json.dumps({
        "name": "python-sdk-request" if is_request else "python-sdk",
        "ns_per_event": round(statistics.median(samples)),
        "events": EVENTS,
        "payload_bytes": len(make(raw).encode()),
        "samples": samples,
    }))


if __name__ == "__main__":
    main()
