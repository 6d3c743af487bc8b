"""Sends events with Meta's Python SDK, as a user of it would, to whatever host it is told.

Reads a plan as JSON: `graph`, `dataset`, `other_dataset`, `token`, `proved_token`, `app_secret`, `now`, `cases`. Writes
a line of JSON for each case: what the SDK gave back, or what it raised. Knows nothing of Sluice: the host is all that
`run.py` changes.

`python_client.py crash` lets an error of the SDK go uncaught, so that the SDK's crash reporter wakes up.
"""

import asyncio
import json
import sys
import urllib.error
import urllib.request

import requests
from capi_param_builder.model.plain_data_object import PlainDataObject
from facebook_business.adobjects.adspixel import AdsPixel
from facebook_business.adobjects.serverside.action_source import ActionSource
from facebook_business.adobjects.serverside.app_data import AppData
from facebook_business.adobjects.serverside.attribution_data import AttributionData
from facebook_business.adobjects.serverside.attribution_setting import AttributionSetting
from facebook_business.adobjects.serverside.batch_processor import BatchProcessor
from facebook_business.adobjects.serverside.content import Content
from facebook_business.adobjects.serverside.custom_data import CustomData
from facebook_business.adobjects.serverside.delivery_category import DeliveryCategory
from facebook_business.adobjects.serverside.event import Event
from facebook_business.adobjects.serverside.event_request import EventRequest
from facebook_business.adobjects.serverside.event_request_async import EventRequestAsync
from facebook_business.adobjects.serverside.extended_device_info import ExtendedDeviceInfo
from facebook_business.adobjects.serverside.gender import Gender
from facebook_business.adobjects.serverside.http_service_interface import HttpServiceInterface
from facebook_business.adobjects.serverside.messaging_channel import MessagingChannel
from facebook_business.adobjects.serverside.original_event_data import OriginalEventData
from facebook_business.adobjects.serverside.user_data import UserData
from facebook_business.api import FacebookAdsApi
from facebook_business.crashreporter import CrashReporter
from facebook_business.exceptions import FacebookRequestError
from facebook_business.session import FacebookSession

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0"
CASES = {}


def case(function):
    CASES[function.__name__] = function
    return function


class Shop:
    """Makes requests for one case, and keeps the ids of its events."""

    def __init__(self, plan, name):
        self.plan, self.name, self.ids = plan, name, []

    def event_id(self):
        self.ids.append(f"python-{self.name}-{len(self.ids) + 1}")
        return self.ids[-1]

    def event(self, **more):
        """A small event that Meta takes; `more` replaces or adds."""
        with_defaults = {
            "event_name": "Lead", "event_time": self.plan["now"], "action_source": ActionSource.WEBSITE,
            "event_source_url": "https://shop.example/offer",
            "user_data": UserData(email="jane@example.com", client_user_agent=AGENT), **more,
        }
        if "event_id" not in with_defaults:
            with_defaults["event_id"] = self.event_id()
        return Event(**with_defaults)

    def events(self, count):
        return [self.event() for _ in range(count)]

    def request(self, *events, kind=EventRequest, **more):
        return kind(pixel_id=self.plan["dataset"], events=list(events), **more)


def purchase(shop):
    """Everything that the SDK knows of a person and of a purchase."""
    user = UserData(
        emails=["Jane.Doe@Example.com ", "jane@example.org"], phones=["+1 (202) 555-0123", "447700900123"],
        gender=Gender.FEMALE, date_of_birth="19900517", last_name="O'Connor-Smith", first_name="Zoë",
        city="Santa Fe", state="nm", country_code="US", zip_code="87501-1234",
        external_ids=["User-42", "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"],
        client_ip_address="123.123.123.123", client_user_agent=AGENT,
        fbc="fb.1.1795435200000.IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk",
        fbp="fb.1.1795435200000.1098115397", subscription_id="anID.123.456.789", fb_login_id="10159876543210987",
        lead_id="1234567890123456", f5first="zoeya", f5last="oconn", fi="z", dobd="17", dobm="05", doby="1990",
        madid="38400000-8cf0-11bd-b23e-10b96e40000d", anon_id="12345340-1234-3456-1234-123456789012",
    )
    bought = CustomData(
        value=142.52, net_revenue=37.5, currency="USD", content_name="Jeans & shirts", content_category="Clothes",
        content_ids=["A-1", "B-2"], content_type="product", predicted_ltv=305.25, num_items=3,
        status="done", search_string="blue jeans", delivery_category=DeliveryCategory.HOME_DELIVERY, item_number="1",
        contents=[
            Content(
                product_id="A-1", quantity=2, item_price=50.01, title="Jeans", description="Blue", brand="Ours",
                category="Trousers", delivery_category=DeliveryCategory.IN_STORE,
            ),
            Content(product_id="B-2", quantity=1, item_price=42.5),
        ],
        custom_properties={"coupon": "SPRING", "points": 12, "gift": True, "tags": ["new", "sale"]},
    )
    bought.order_id = event_id = shop.event_id()
    return shop.event(
        event_id=event_id, event_name="Purchase", event_source_url="https://shop.example/thanks?order=1042", opt_out=False,
        referrer_url="https://search.example/", user_data=user, custom_data=bought, data_processing_options=[],
    )


@case
def every_field(shop):
    return shop.request(purchase(shop), partner_agent="shop-agent").execute()


@case
def limited_data_use(shop):
    event = shop.event(
        data_processing_options=["LDU"], data_processing_options_country=1, data_processing_options_state=1000
    )
    return shop.request(event).execute()


@case
def app_event(shop):
    device = ExtendedDeviceInfo(
        ext_info_version="i2", app_package_name="com.shop.example", short_version="1.0", long_version="1.0 long",
        os_version="17.4", device_model_name="iPhone15,2", locale="en_US", timezone_abbreviation="PST",
        carrier=None, screen_width=1179, screen_height=2556, screen_density="3", cpu_core_count=6,
        total_disk_space_gb=128, free_disk_space_gb=64, device_time_zone="America/Los_Angeles",
    )
    app = AppData(
        application_tracking_enabled=True, advertiser_tracking_enabled=False, campaign_ids="encrypted",
        consider_views=True, extinfo=device, include_dwell_data=True, include_video_data=False,
        install_referrer="utm_source=example", installer_package="com.store.example", receipt_data="receipt",
        url_schemes="shop", windows_attribution_id="w-1",
    )
    user = UserData(email="jane@example.com", madid="38400000-8cf0-11bd-b23e-10b96e40000d")
    event = shop.event(action_source=ActionSource.APP, event_source_url=None, app_data=app, user_data=user)
    return shop.request(event).execute()


@case
def messaging(shop):
    event = shop.event(
        event_name="Purchase", action_source=ActionSource.BUSINESS_MESSAGING, event_source_url=None,
        messaging_channel=MessagingChannel.WHATSAPP, custom_data=CustomData(value=12.5, currency="EUR"),
        user_data=UserData(page_id="1234567890", ctwa_clid="ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LE"),
    )
    return shop.request(event, partner_agent="shop-agent").execute()


@case
def attribution(shop):
    event = shop.event(
        event_name="AppendAttribution", custom_data=CustomData(value=12.5, currency="EUR"),
        original_event_data=OriginalEventData(
            event_name="Purchase", event_time=shop.plan["now"] - 3600, order_id="order-1", event_id="original-1"
        ),
        attribution_data=AttributionData(
            scope="click", visit_time=shop.plan["now"] - 7200, ad_id="23847", adset_id="23848", campaign_id="23849",
            attribution_share=0.5, attribution_model="last_click", attr_window=7, attribution_value=6.25,
            attribution_source="tool", touchpoint_type="click", touchpoint_ts=shop.plan["now"] - 7200,
            touchpoint_id="t-1", auditing_token="audit", linkage_key="link", total_credit=0.5,
            attribution_setting=AttributionSetting(inactivity_window_hours=24, reattribution_window_hours=48),
        ),
    )
    return shop.request(event).execute()


@case
def in_a_store(shop):
    event = shop.event(
        event_name="Purchase", action_source=ActionSource.PHYSICAL_STORE, event_source_url=None,
        event_time=shop.plan["now"] - 3 * 86_400,
        custom_data=CustomData(value=7, currency="eur", order_id="till-1-python"),
    )
    request = shop.request(event, upload_tag="monday", upload_id="u-1", upload_source="till", namespace_id="1234567")
    return request.execute()


@case
def param_builder(shop):
    """Fields that the SDK takes from a web request, with the appendices of Meta's parameter builder."""
    request = PlainDataObject(
        host="shop.example", query_params={"fbclid": ["IwAR2F4dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB"]},
        cookies={
            "_fbp": "fb.1.1795435200000.1098115397",
            "_fbc": "fb.1.1795435200000.IwAR2F4dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB",
        },
        referer="https://search.example/find", x_forwarded_for=None, remote_address=None,
        scheme="https", request_uri="/offer?fbclid=IwAR2F4dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB",
    )
    return shop.request(shop.event(event_source_url=None).set_request_context(request)).execute()


@case
def test_code(shop):
    return shop.request(shop.event(), test_event_code="TEST4711").execute()


@case
def proof(shop):
    FacebookAdsApi.init(app_secret=shop.plan["app_secret"], access_token=shop.plan["proved_token"])
    return shop.request(shop.event()).execute()


@case
def without_id(shop):
    """An event without event_id; it is known again by its order_id."""
    mark = shop.event_id()
    event = shop.event(event_id=None, custom_data=CustomData(order_id=mark))
    return shop.request(event).execute()


@case
def many(shop):
    return shop.request(*shop.events(500)).execute()


@case
def asynchronous(shop):
    return asyncio.run(shop.request(purchase(shop), shop.event(), kind=EventRequestAsync).execute())


@case
def asynchronous_proof(shop):
    FacebookAdsApi.init(app_secret=shop.plan["app_secret"], access_token=shop.plan["proved_token"])
    return asyncio.run(shop.request(shop.event(), kind=EventRequestAsync, partner_agent="shop-agent").execute())


async def collected(generator):
    return [response async for responses in generator for response in responses]


@case
def batches_of_events(shop):
    request = shop.request(kind=EventRequestAsync, partner_agent="shop-agent")
    processor = BatchProcessor(batch_size=50, concurrent_requests=4)
    return asyncio.run(collected(processor.process_events_generator(request, shop.events(230))))


@case
def batches_of_requests(shop):
    requests_ = [shop.request(*shop.events(3), kind=EventRequestAsync) for _ in range(6)]
    processor = BatchProcessor(concurrent_requests=4)
    return asyncio.run(collected(processor.process_event_requests_generator(requests_)))


@case
def batches_without_answers(shop):
    """The way of Meta's examples, which tells nothing but an error."""
    BatchProcessor(batch_size=2).process_events(shop.request(kind=EventRequestAsync), shop.events(5))


class JsonClient(HttpServiceInterface):
    """A client of the user's own, which sends JSON."""

    def execute(self, url, method, request_options, headers, params):
        body = json.dumps(params).encode()
        headers = {**headers, "Content-Type": "application/json"}
        request = urllib.request.Request(url, body, headers, method=method)
        with urllib.request.urlopen(request) as response:
            return json.load(response)


class FormClient(HttpServiceInterface):
    """Hands the parameters to `requests`, which writes a list as one field for each entry."""

    def execute(self, url, method, request_options, headers, params):
        return requests.request(method, url, data=params, headers=headers, timeout=10).json()


@case
def custom_client(shop):
    events = [purchase(shop), shop.event()]
    more = {"access_token": shop.plan["proved_token"], "appsecret": shop.plan["app_secret"]}
    return shop.request(*events, http_client=JsonClient(), **more).execute()


@case
def custom_client_form(shop):
    return shop.request(*shop.events(3), http_client=FormClient(), access_token=shop.plan["token"]).execute()


@case
def sent_twice(shop):
    event = shop.event()
    return [shop.request(event).execute(), shop.request(event).execute()]


@case
def wrong_token(shop):
    FacebookAdsApi.init(access_token="EAABnobody")
    return shop.request(shop.event()).execute()


@case
def wrong_token_asynchronous(shop):
    FacebookAdsApi.init(access_token="EAABnobody")
    return asyncio.run(shop.request(shop.event(), kind=EventRequestAsync).execute())


@case
def unknown_dataset(shop):
    return EventRequest(pixel_id=shop.plan["other_dataset"], events=[shop.event()]).execute()


@case
def all_bad(shop):
    old = shop.plan["now"] - 30 * 86_400
    return shop.request(*[shop.event(event_time=old) for _ in range(2)]).execute()


@case
def no_value(shop):
    return shop.request(shop.event(event_name="Purchase", custom_data=CustomData(currency="EUR"))).execute()


@case
def partly_bad(shop):
    return shop.request(shop.event(), shop.event(user_data=UserData(country_code="us")), shop.event()).execute()


@case
def graph_batch(shop):
    """Queues the call in a batch of the Graph API, `POST /{version}/`."""
    api = FacebookAdsApi.get_default_api()
    batch = api.new_batch()
    params = {"data": [shop.event().normalize()]}
    AdsPixel(shop.plan["dataset"], api=api).create_event(params=params, batch=batch)
    return batch.execute()


@case
def read_the_dataset(shop):
    """Reads the pixel, which is no matter of events."""
    return AdsPixel(shop.plan["dataset"]).api_get(fields=["name"])


@case
def read_an_edge(shop):
    """Reads what can only be written."""
    return FacebookAdsApi.get_default_api().call("GET", (shop.plan["dataset"], "events"))


@case
def stopped(shop):
    return shop.request(shop.event()).execute()


@case
def stopped_asynchronous(shop):
    return asyncio.run(shop.request(shop.event(), kind=EventRequestAsync).execute())


def told(answer):
    """What the SDK, or the user's own client, gave back."""
    if isinstance(answer, list):
        parts = [told(part) for part in answer]
        return {"received": sum(part["received"] for part in parts), "answers": len(parts), "messages": [
            message for part in parts for message in part["messages"]
        ], "trace": all(part["trace"] for part in parts)}
    get = answer.get if isinstance(answer, dict) else lambda name: getattr(answer, name, None)
    trace = bool(get("fbtrace_id"))
    return {"received": get("events_received"), "answers": 1, "messages": get("messages"), "trace": trace}


def described(error):
    if isinstance(error, FacebookRequestError):
        body = error.body()["error"]
        return {
            "kind": "FacebookRequestError", "status": error.http_status(), "code": error.api_error_code(),
            "subcode": error.api_error_subcode(), "type": error.api_error_type(), "message": error.api_error_message(),
            "transient": error.api_transient_error(), "told": body.get("error_user_msg"),
            "trace": bool(body["fbtrace_id"]),
        }
    return {"kind": type(error).__name__, "message": str(error)}


def main():
    plan = json.load(sys.stdin)
    FacebookSession.GRAPH = plan["graph"]
    if sys.argv[1:] == ["crash"]:
        CrashReporter.enableLogging()
        FacebookAdsApi.init(app_id="1234567", access_token="EAABnobody")
        Shop(plan, "crash").request(Shop(plan, "crash").event()).execute()
    for name in plan["cases"] or [name for name in CASES if not name.startswith("stopped")]:
        FacebookAdsApi.init(access_token=plan["token"])
        shop = Shop(plan, name)
        result = {"case": name}
        try:
            answer = CASES[name](shop)
            result |= {"answer": None if answer is None else told(answer)}
        except Exception as error:
            # Whatever it is, it is what a user would see.
            result |= {"error": described(error)}
        print(json.dumps({**result, "ids": shop.ids}), flush=True)


if __name__ == "__main__":
    main()
