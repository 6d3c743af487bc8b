"""Times Meta's Python SDK on one event: JSON text in, normalised and hashed JSON text out, in one thread.

python python_sdk.py purchase.json [--print]
"""

import json
import statistics
import sys
import time

from facebook_business.adobjects.serverside.action_source import ActionSource
from facebook_business.adobjects.serverside.content import Content
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.event import Event
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


def payload(raw):
    # normalize() and dumps() are all that is timed: the request that the SDK would build round them is left out.
    events = [
        Event(
            event_name=event["event_name"],
            event_time=event["event_time"],
            event_id=event["event_id"],
            action_source=ActionSource(event["action_source"]),
            event_source_url=event["event_source_url"],
            user_data=user_data(event["user_data"]),
            custom_data=custom_data(event["custom_data"]),
        ).normalize()
        for event in json.loads(raw)["data"]
    ]
    return json.dumps({"data": events}, separators=(",", ":"))


def timed(raw, events):
    start = time.perf_counter_ns()
    for _ in range(events):
        payload(raw)
    return round((time.perf_counter_ns() - start) / events)


def main():
    [path] = [argument for argument in sys.argv[1:] if not argument.startswith("--")]
    with open(path, "rb") as file:
        raw = file.read()
    if "--print" in sys.argv:
        print(payload(raw))
        return
    timed(raw, WARM_UP)
    samples = [timed(raw, EVENTS) for _ in range(ROUNDS)]
    print(json.dumps({
        "name": "meta-python-sdk",
        "ns_per_event": round(statistics.median(samples)),
        "events": EVENTS,
        "payload_bytes": len(payload(raw).encode()),
        "samples": samples,
    }))


if __name__ == "__main__":
    main()
