// Times Meta's Node SDK on one event: JSON text in, normalised and hashed JSON text out, in one thread.
// node node_sdk.mjs purchase.json [--print]
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";

// Resolves from the working directory and from NODE_PATH, which `import` would not look at.
const require = createRequire(process.cwd() + "/");
const { Content, CustomData, ServerEvent, UserData } = require("facebook-nodejs-business-sdk");

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

// normalize() and JSON.stringify are all that is timed: the request that the SDK would build round them is left out.
function payload() {
  const data = JSON.parse(raw).data.map((event) =>
    new ServerEvent()
      .setEventName(event.event_name)
      .setEventTime(event.event_time)
      .setEventId(event.event_id)
      .setActionSource(event.action_source)
      .setEventSourceUrl(event.event_source_url)
      .setUserData(userData(event.user_data))
      .setCustomData(customData(event.custom_data))
      .normalize());
  return JSON.stringify({ data });
}

function round(events) {
  // Adding the lengths up keeps the work from being optimised away.
  let bytes = 0;
  const start = process.hrtime.bigint();
  for (let i = 0; i < events; i++) bytes += payload().length;
  const elapsed = Number(process.hrtime.bigint() - start);
  if (bytes === 0) throw new Error("nothing was made");
  return elapsed / events;
}

if (flags.includes("--print")) {
  console.log(payload());
} else {
  round(WARM_UP);
  const samples = Array.from({ length: ROUNDS }, () => Math.round(round(EVENTS)));
  const median = [...samples].sort((a, b) => a - b)[Math.floor(ROUNDS / 2)];
  console.log(JSON.stringify({
    name: "meta-node-sdk",
    ns_per_event: median,
    events: EVENTS,
    payload_bytes: Buffer.byteLength(payload()),
    samples,
  }));
}
