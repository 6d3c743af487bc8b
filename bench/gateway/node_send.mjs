// Meta's Node SDK, sending purchases straight to a Graph API: node node_send.mjs BASE_URL BATCH IN_FLIGHT SECONDS
import { createRequire } from 'node:module';
const require = createRequire(`${process.env.NODE_PATH}/`);
const sdk = require('facebook-nodejs-business-sdk');
const [base, batch, inFlight, seconds] = process.argv.slice(2);
Object.defineProperty(sdk.FacebookAdsApi, 'GRAPH', { get: () => base });
const { EventRequest, ServerEvent, UserData, CustomData, Content } = sdk;

let count = 0;
let sent = 0;
const now = Math.floor(Date.now() / 1000);

function event() {
  const user = new UserData()
    .setEmail('john.smith@example.com').setPhone('+1 650 555 1212').setFirstName('John').setLastName('Smith')
    .setCity('Menlo Park').setState('ca').setZip('94025').setCountry('us').setClientIpAddress('203.0.113.9')
    .setClientUserAgent('Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36')
    .setFbp('fb.1.1558571054389.1098115397').setFbc('fb.1.1554763741205.AbCdEfGhIjKlMnOpQrStUvWxYz1234567890');
  const contents = [['SKU1', 2, 50], ['SKU2', 1, 20], ['SKU3', 1, 9.99]]
    .map(([id, quantity, price]) => new Content().setId(id).setQuantity(quantity).setItemPrice(price));
  const custom = new CustomData().setCurrency('USD').setValue(129.99).setContentType('product').setContents(contents)
    .setOrderId('10017');
  count += 1;
  return new ServerEvent().setEventName('Purchase').setEventTime(now).setEventId(`node-${now}-${count}`)
    .setActionSource('website').setEventSourceUrl('https://shop.example/thanks').setUserData(user).setCustomData(custom);
}

const start = performance.now();
const end = start + Number(seconds) * 1000;
async function worker() {
  while (performance.now() < end) {
    const events = Array.from({ length: Number(batch) }, event);
    const answer = await new EventRequest('sandbox-token', '1234567890123456').setEvents(events).execute();
    sent += answer.events_received;
  }
}
await Promise.all(Array.from({ length: Number(inFlight) }, worker));
console.log(JSON.stringify({ events: sent, seconds: (performance.now() - start) / 1000 }));
