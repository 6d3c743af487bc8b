// Answers every corpus line with what Meta's Node packages would send:
// {"node": hash | null | "raises", "builder": hash | null | "raises" | "not handled"}.
import { createHash } from "node:crypto";
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

// Resolves from the working directory and from NODE_PATH, which `import` would not look at.
const require = createRequire(process.cwd() + "/");
const { UserData } = require("facebook-nodejs-business-sdk");
const { ParamBuilder } = require("capi-param-builder-nodejs");

const SETTERS = {
  em: "setEmail", ph: "setPhone", fn: "setFirstName", ln: "setLastName", db: "setDateOfBirth", ge: "setGender",
  ct: "setCity", st: "setState", zp: "setZip", country: "setCountry", external_id: "setExternalId",
  f5first: "setF5First", f5last: "setF5Last", fi: "setFi", dobd: "setDobd", dobm: "setDobm", doby: "setDoby",
};
const KINDS = {
  em: "email", ph: "phone", fn: "first_name", ln: "last_name", db: "date_of_birth", ge: "gender", ct: "city",
  st: "state", zp: "zip_code", country: "country", external_id: "external_id",
};
const HASH = /^([0-9a-f]{64}|[0-9a-f]{32})$/;
const builder = new ParamBuilder([]);

function node(field, value) {
  let sent = new UserData()[SETTERS[field]](value).normalize()[field];
  if (Array.isArray(sent)) sent = sent[0];
  // The SDK sends ids as they are, so hash them here, unless they are hashes already.
  if (field === "external_id" && sent && !HASH.test(sent)) {
    sent = createHash("sha256").update(sent, "utf8").digest("hex");
  }
  return sent || null;
}

function paramBuilder(field, value) {
  if (!KINDS[field]) return "not handled";
  const sent = builder.getNormalizedAndHashedPII(value, KINDS[field]);
  // Cut the appendix off, which only says which library made the hash.
  return sent ? sent.split(".")[0] : null;
}

function attempt(normalise, field, value) {
  try {
    return normalise(field, value);
  } catch {
    return "raises";
  }
}

const answers = [];
for await (const line of createInterface({ input: process.stdin })) {
  const { field, value } = JSON.parse(line);
  answers.push(JSON.stringify({
    node: attempt(node, field, value),
    builder: attempt(paramBuilder, field, value),
  }));
}
process.stdout.write(answers.join("\n") + "\n");
