// Shows what is new: the page is loaded again when something arrived, unless somebody reads an event.
"use strict";
const shown = document.body.dataset.revision;
setInterval(async () => {
  if (document.hidden || document.querySelector("details[open]")) return;
  try {
    const answer = await fetch("/sandbox/stats", { cache: "no-store" });
    const stats = await answer.json();
    if (String(stats.revision) !== shown) location.reload();
  } catch {
    // The sandbox was stopped: what is shown stays.
  }
}, 2000);
