// Times Meta's Node SDK on one event: JSON text in, normalised and hashed JSON text out, in one thread.
// node node_sdk.mjs purchase.json [--print | --request]
//
// By default normalize() and JSON.stringify alone are timed, the kindest measure. With --request the event goes through
// EventRequest, the way the SDK documents, up to the bytes that its HTTP client would send.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// Resolves from the working directory and from NODE_PATH, which `import` would not look at.
const require = createRequire(process.cwd() + "/");
const { Content, CustomData, EventRequest, ServerEvent, UserData } = require("facebook-nodejs-business-sdk");

const WARM_UP = 20_000;
const ROUNDS = 7;
const EVENTS = 20_000;

const flags = process.argv.slice(2).filter((argument) => argument.startsWith("--"));
const [path] = process.argv.slice(2).filter((argument) => !argument.startsWith("--"));
const raw = readFileSync(path);

function userData(user) {
  return new UserData()
    .setEmail(user.em)
    .setPhone(user.ph)
    .setFirstName(user.fn)
    .setLastName(user.ln)
    .setCity(user.ct)
    .setState(user.st)
    .setZip(user.zp)
    .setCountry(user.country)
    .setClientIpAddress(user.client_ip_address)
    .setClientUserAgent(user.client_user_agent)
    .setFbc(user.fbc)
    .setFbp(user.fbp);
}

function customData(custom) {
  const contents = custom.contents.map((content) =>
    new Content().setId(content.id).setQuantity(content.quantity).setItemPrice(content.item_price));
  return new CustomData()
    .setCurrency(custom.currency)
    .setValue(custom.value)
    .setOrderId(custom.order_id)
    .setContentType(custom.content_type)
    .setNumItems(custom.num_items)
    .setContents(contents);
}

function serverEvents() {
  return JSON.parse(raw).data.map((event) =>
    new ServerEvent()
      .setEventName(event.event_name)
      .setEventTime(event.event_time)
      .setEventId(event.event_id)
      .setActionSource(event.action_source)
      .setEventSourceUrl(event.event_source_url)
      .setUserData(userData(event.user_data))
      .setCustomData(customData(event.custom_data)));
}

function payload() {
  return JSON.stringify({ data: serverEvents().map((event) => event.normalize()) });
}

// Stands where the SDK's HTTP client would: takes the parameters and makes the bytes.
const client = {
  executeRequest(url, method, headers, params) {
    const body = JSON.stringify(params);
    return Promise.resolve({ events_received: 1, messages: [], fbtrace_id: "", body });
  },
};

async function request() {
  const answer = await new EventRequest("token", "1234567890123456")
    .setEvents(serverEvents())
    .setHttpService(client)
    .execute();
  return answer.body;
}

const isRequest = flags.includes("--request");

async function round(events) {
  // Adding the lengths up keeps the work from being optimised away.
  let bytes = 0;
  const start = process.hrtime.bigint();
  if (isRequest) {
    for (let i = 0; i < events; i++) bytes += (await request()).length;
  } else {
    for (let i = 0; i < events; i++) bytes += payload().length;
  }
  const elapsed = Number(process.hrtime.bigint() - start);
  if (bytes === 0) throw new Error("nothing was made");
  return elapsed / events;
}

if (flags.includes("--print")) {
  console.log(payload());
} else {
  await round(WARM_UP);
  const samples = [];
  for (let i = 0; i < ROUNDS; i++) samples.push(Math.round(await round(EVENTS)));
  const median = [...samples].sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
  console.log(JSON.stringify({
    name: isRequest ? "node-sdk-request" : "node-sdk",
    ns_per_event: median,
    events: EVENTS,
    payload_bytes: Buffer.byteLength(isRequest ? await request() : payload()),
    samples,
  }));
}
