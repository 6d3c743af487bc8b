// Puts onto the page what is new and leaves the rest of it alone: what is open stays open, and what is
// focused or selected stays so.
"use strict";

const PAUSE_MS = 2000;
const live = document.getElementById("live");
let shown = document.body.dataset.revision;
let seen = Date.now();

const say = (text) => {
  // A text that is written again would be read out again.
  if (live.textContent !== text) live.textContent = text;
};

const ask = async (path) => {
  const answer = await fetch(path, { cache: "no-store" });
  if (!answer.ok) throw new Error(String(answer.status));
  return answer;
};

const replace = (id, fresh) => {
  const [old, now] = [document, fresh].map((page) => page.getElementById(id));
  if (old.innerHTML !== now.innerHTML) old.replaceChildren(...now.childNodes);
};

// Both lists are newest first, so that rows which are in both have the same order in both.
const arrange = (list, fresh) => {
  const isFull = fresh.children.length >= Number(fresh.dataset.limit);
  const gone = new Map([...list.children].map((row) => [row.id, row]));
  let next = list.firstElementChild;
  for (const row of [...fresh.children]) {
    const old = gone.get(row.id);
    gone.delete(row.id);
    if (old && old.innerHTML === row.innerHTML) {
      next = old.nextElementSibling;
    } else if (old) {
      row.open = old.open;
      next = old.nextElementSibling;
      old.replaceWith(row);
    } else {
      list.insertBefore(row, next);
    }
  }
  for (const row of gone.values()) {
    // Pushed out by newer ones while somebody reads it.
    if (!(isFull && row.open)) row.remove();
  }
};

const renew = async () => {
  const stats = await (await ask("/sandbox/stats")).json();
  if (String(stats.revision) !== shown) {
    const page = await (await ask(location.pathname + location.search)).text();
    const fresh = new DOMParser().parseFromString(page, "text/html");
    replace("counts", fresh);
    replace("faults", fresh);
    replace("names", fresh);
    replace("nothing", fresh);
    arrange(document.getElementById("arrived"), fresh.getElementById("arrived"));
    shown = fresh.body.dataset.revision;
  }
  seen = Date.now();
  say("What is new appears by itself.");
};

const turn = async () => {
  try {
    if (!document.hidden) await renew();
  } catch {
    const time = new Date(seen).toISOString().slice(11, 19);
    say(`The sandbox does not answer: this is how it was at ${time} UTC.`);
  }
  setTimeout(turn, PAUSE_MS);
};

// Changes something, and shows at once what became of it.
const change = async (method, path, body) => {
  const said = document.getElementById("said");
  try {
    const answer = await fetch(path, { method, body });
    said.textContent = answer.ok ? "" : (await answer.json()).error;
    // Faults do not count as something that arrived.
    if (answer.ok) shown = "";
    await renew();
    return answer.ok;
  } catch {
    said.textContent = "The sandbox does not answer.";
    return false;
  }
};

const fault = document.getElementById("fault");
fault.addEventListener("submit", async (event) => {
  event.preventDefault();
  if (await change("POST", "/sandbox/faults", fault.elements.fault.value)) fault.reset();
});
document.getElementById("mend").addEventListener("click", () => change("DELETE", "/sandbox/faults"));
const clear = document.getElementById("clear");
clear.addEventListener("click", () => change("DELETE", "/sandbox/received"));
// Without this script they do nothing.
fault.hidden = clear.hidden = false;

// A link to a row opens it.
const reveal = () => {
  const row = location.hash && document.getElementById(location.hash.slice(1));
  if (row) row.open = true;
};

addEventListener("hashchange", reveal);
reveal();
turn();
