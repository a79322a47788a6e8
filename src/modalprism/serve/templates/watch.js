// While something on the page is still changing, fetches the page again and renews those parts.
"use strict";

const lost = document.getElementById("lost");

function renew(fresh) {
  for (const part of document.querySelectorAll("[data-live]")) {
    const next = fresh.getElementById(part.id);
    if (!next || next.outerHTML === part.outerHTML) continue;
    const focused = part.contains(document.activeElement) && document.activeElement.href;
    part.replaceWith(document.importNode(next, true));
    if (focused) [...document.links].find((link) => link.href === focused)?.focus();
  }
  document.title = fresh.title;
}

async function watch(pause) {
  while (pause > 0) {
    await new Promise((resume) => setTimeout(resume, pause));
    if (document.hidden) continue;
    try {
      const answer = await fetch(location.href);
      const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
      if (!answer.ok) throw new Error(answer.statusText);
      renew(fresh);
      lost.hidden = true;
      pause = Number(fresh.body.dataset.refresh);
    } catch {
      lost.hidden = false;
      pause = 2000;
    }
  }
}

watch(Number(document.body.dataset.refresh));
