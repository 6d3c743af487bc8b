// Sends events with Meta's Node SDK, as a user of it would, to whatever host it is told.
//
// Reads a plan as JSON and writes a line of JSON for each case, as python_client.py does. The SDK logs to standard
// output; those lines are kept away from it here.
//
// `node_client.mjs crash` lets an error of the SDK go uncaught, so that the SDK's crash reporter wakes up.
import { createRequire } from "node:module";
import { readFileSync } from "node:fs";

// Resolves from the working directory and from NODE_PATH, which `import` would not look at.
const require = createRequire(process.cwd() + "/");
const sdk = require("facebook-nodejs-business-sdk");
const {
  AppData, BatchProcessor, Content, CustomData, DeliveryCategory, EventRequest, ExtendedDeviceInfo, FacebookAdsApi,
  HttpServiceClientConfig, HttpServiceInterface, ServerEvent, UserData,
} = sdk;

const plan = JSON.parse(readFileSync(0, "utf8"));
const log = [];
console.log = (...text) => log.push(text.join(" "));
Object.defineProperty(FacebookAdsApi, "GRAPH", { get: () => plan.graph });

const AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0";

class Shop {
  constructor(name) {
    this.name = name;
    this.ids = [];
  }

  eventId() {
    this.ids.push(`node-${this.name}-${this.ids.length + 1}`);
    return this.ids.at(-1);
  }

  event() {
    return new ServerEvent()
      .setEventName("Lead").setEventTime(plan.now).setActionSource("website").setEventId(this.eventId())
      .setEventSourceUrl("https://shop.example/offer")
      .setUserData(new UserData().setEmail("jane@example.com").setClientUserAgent(AGENT));
  }

  events(count) {
    return Array.from({ length: count }, () => this.event());
  }

  request(...events) {
    return new EventRequest(plan.token, plan.dataset, events);
  }
}

/** Everything that the SDK knows of a person and of a purchase. */
function purchase(shop) {
  const user = new UserData()
    .setEmails(["Jane.Doe@Example.com ", "jane@example.org"]).setPhones(["+1 (202) 555-0123", "447700900123"])
    .setGender("f").setDateOfBirth("19900517").setLastName("O'Connor-Smith").setFirstName("Zoë").setCity("Santa Fe")
    .setState("nm").setCountry("US").setZip("87501-1234")
    .setExternalIds(["User-42", "5994471abb01112afcc18159f6cc74b4f511b99806da59b3caf5a9c173cacfc5"])
    .setClientIpAddress("123.123.123.123").setClientUserAgent(AGENT)
    .setFbc("fb.1.1795435200000.IwAR2F4-dbP0l7Mn1IawQQGCINEz7PYXQvwjNwB_qa2ofrHyiLjcbCRxTDMgk")
    .setFbp("fb.1.1795435200000.1098115397").setSubscriptionId("anID.123.456.789").setFbLoginId("10159876543210987")
    .setLeadId("1234567890123456").setF5First("zoeya").setF5Last("oconn").setFi("z")
    .setDobd("17").setDobm("05").setDoby("1990")
    .setMadid("38400000-8cf0-11bd-b23e-10b96e40000d").setAnonId("12345340-1234-3456-1234-123456789012")
    .setAppUserId("app-user-1");
  const bought = new CustomData()
    .setValue(142.52).setNetRevenue(37.5).setCurrency("usd").setContentName("Jeans & shirts")
    .setContentCategory("Clothes").setContentIds(["A-1", "B-2"]).setContentType("product")
    .setPredictedLtv(305.25).setNumItems(3).setStatus("done").setSearchString("blue jeans").setItemNumber("1")
    .setDeliveryCategory(DeliveryCategory.HOME_DELIVERY)
    .setContents([
      new Content().setId("A-1").setQuantity(2).setItemPrice(50.01).setTitle("Jeans").setDescription("Blue")
        .setBrand("Ours").setCategory("Trousers").setDeliveryCategory(DeliveryCategory.IN_STORE),
      new Content().setId("B-2").setQuantity(1).setItemPrice(42.5),
    ])
    .setCustomProperties({ coupon: "SPRING", points: 12, gift: true, tags: ["new", "sale"] });
  const event = shop.event();
  bought.setOrderId(event.event_id);
  return event
    .setEventName("Purchase").setEventSourceUrl("https://shop.example/thanks?order=1042").setOptOut(true)
    .setUserData(user).setCustomData(bought).setDataProcessingOptions([]);
}

/** The parameters as JSON, with the platform's own client. */
class FetchService extends HttpServiceInterface {
  async executeRequest(url, method, headers, params) {
    const response = await fetch(url, { method, headers, body: JSON.stringify(params) });
    return response.json();
  }
}

/** The parameters as a form: objects as JSON, as the Graph API reads them. */
class FormService extends HttpServiceInterface {
  async executeRequest(url, method, headers, params) {
    const given = Object.entries(params).filter(([, value]) => value !== null && value !== undefined);
    const fields = given.map(([key, value]) => [key, typeof value === "string" ? value : JSON.stringify(value)]);
    const form = { ...headers, "Content-Type": "application/x-www-form-urlencoded" };
    const response = await fetch(url, { method, headers: form, body: new URLSearchParams(fields) });
    return response.json();
  }
}

async function collected(generator) {
  const answers = [];
  for (const promises of generator) answers.push(...(await Promise.all(promises)));
  return answers;
}

const CASES = {
  every_field: (shop) => shop.request(purchase(shop)).setPartnerAgent("shop-agent").execute(),
  limited_data_use: (shop) => shop.request(
    shop.event().setDataProcessingOptions(["LDU"]).setDataProcessingOptionsCountry(0).setDataProcessingOptionsState(0),
  ).execute(),
  messaging: (shop) => shop.request(
    shop.event().setEventName("Purchase").setActionSource("business_messaging").setMessagingChannel("whatsapp")
      .setEventSourceUrl(null).setCustomData(new CustomData().setValue(12.5).setCurrency("eur"))
      .setUserData(new UserData().setPageId("1234567890")
        .setCtwaClid("ARAkLkA8rmlFeiCktEJQ-QTwRiyYHAFDLMNDBH0CD3qpjd0HR4irJ6LE")),
  ).setPartnerAgent("shop-agent").execute(),
  in_a_store: (shop) => shop.request(
    shop.event().setEventName("Purchase").setActionSource("physical_store").setEventSourceUrl(null)
      .setEventTime(plan.now - 3 * 86_400)
      .setCustomData(new CustomData().setValue("7").setCurrency("eur").setOrderId("till-1-node")),
  ).setUploadTag("monday").setUploadId("u-1").setUploadSource("till").setNamespaceId("1234567").execute(),
  test_code: (shop) => shop.request(shop.event()).setTestEventCode("TEST4711").execute(),
  proof: (shop) =>
    new EventRequest(plan.proved_token, plan.dataset, [shop.event()]).setAppSecret(plan.app_secret).execute(),
  debug: async (shop) => {
    const answer = await shop.request(shop.event()).setDebugMode(true).execute();
    if (!log.some((line) => line.startsWith("200 POST"))) throw new Error("debug mode logged nothing");
    return answer;
  },
  without_id: (shop) => {
    const event = shop.event();
    return shop.request(event.setCustomData(new CustomData().setOrderId(event.event_id)).setEventId(null)).execute();
  },
  many: (shop) => shop.request(...shop.events(500)).execute(),
  batches_of_events: (shop) =>
    collected(new BatchProcessor(50, 4).processEventsGenerator(shop.request(), shop.events(230))),
  batches_of_requests: (shop) => collected(new BatchProcessor(50, 4).processEventRequestsGenerator(
    Array.from({ length: 6 }, () => shop.request(...shop.events(3))),
  )),
  batches_without_answers: (shop) => new BatchProcessor(2, 2).processEvents(shop.request(), shop.events(5)),
  custom_client: (shop) => shop.request(purchase(shop), shop.event()).setHttpService(new FetchService()).execute(),
  custom_client_form: (shop) => shop.request(...shop.events(3)).setHttpService(new FormService()).execute(),
  custom_client_of_all: async (shop) => {
    HttpServiceClientConfig.setClient(new FetchService());
    try {
      return await shop.request(shop.event()).execute();
    } finally {
      HttpServiceClientConfig.setClient(undefined);
    }
  },
  sent_twice: async (shop) => {
    const event = shop.event();
    return [await shop.request(event).execute(), await shop.request(event).execute()];
  },
  app_event: (shop) => {
    const device = new ExtendedDeviceInfo(
      "a2", "com.shop.example", "1.0", "1.0 long", "14", "Pixel 8", "en_US", "PST", "Carrier", 1080, 2400, "2.6", 8,
      128, 64, "America/Los_Angeles",
    );
    const app = new AppData(
      true, false, "encrypted", true, device, true, false, "utm_source=example", "com.store.example", "receipt", "shop",
      "w-1",
    );
    const user = new UserData().setEmail("jane@example.com").setMadid("38400000-8cf0-11bd-b23e-10b96e40000d");
    return shop.request(
      shop.event().setActionSource("app").setEventSourceUrl(null).setAppData(app).setUserData(user),
    ).execute();
  },
  wrong_token: (shop) => new EventRequest("EAABnobody", plan.dataset, [shop.event()]).execute(),
  unknown_dataset: (shop) => new EventRequest(plan.token, plan.other_dataset, [shop.event()]).execute(),
  all_bad: (shop) => shop.request(
    ...shop.events(2).map((event) => event.setEventTime(plan.now - 30 * 86_400)),
  ).execute(),
  no_value: (shop) => shop.request(
    shop.event().setEventName("Purchase").setCustomData(new CustomData().setCurrency("eur")),
  ).execute(),
  partly_bad: (shop) => shop.request(
    shop.event(), shop.event().setUserData(new UserData().setCountry("us")), shop.event(),
  ).execute(),
  read_the_dataset: () => new sdk.AdsPixel(plan.dataset).read(["name"]),
  stopped: (shop) => shop.request(shop.event()).execute(),
};

function told(answer) {
  if (answer === undefined || answer === null) return null;
  if (!Array.isArray(answer)) {
    const { events_received: received, messages, fbtrace_id: trace } = answer;
    return { received, messages, answers: 1, trace: Boolean(trace) };
  }
  const parts = answer.map(told);
  return {
    received: parts.reduce((sum, part) => sum + part.received, 0),
    messages: parts.flatMap((part) => part.messages),
    answers: parts.length,
    trace: parts.every((part) => part.trace),
  };
}

function described(error) {
  if (error?.name !== "FacebookRequestError") return { kind: error?.name, message: String(error?.message) };
  const body = error.response ?? {};
  return {
    kind: error.name, status: error.status, code: body.code ?? null, subcode: body.error_subcode ?? null,
    type: body.type ?? null, message: error.message, transient: body.is_transient ?? null,
    told: body.error_user_msg ?? null, trace: Boolean(body.fbtrace_id),
  };
}

async function main() {
  for (const name of plan.cases ?? Object.keys(CASES).filter((name) => !name.startsWith("stopped"))) {
    const shop = new Shop(name);
    FacebookAdsApi.init(plan.token);
    let result;
    try {
      result = { answer: told(await CASES[name](shop)) };
    } catch (error) {
      result = { error: described(error) };
    }
    process.stdout.write(JSON.stringify({ case: name, ...result, ids: shop.ids }) + "\n");
  }
}

if (process.argv[2] === "crash") {
  console.log = (...text) => process.stderr.write(text.join(" ") + "\n");
  const shop = new Shop("crash");
  new EventRequest("EAABnobody", plan.dataset, [shop.event()]).execute();
} else {
  await main();
}
