// Keeps a page fresh: when the server says that something has changed, the page is asked for again and its parts marked
// `data-live` are taken over. A part that somebody is typing in is left alone until the next change.
(() => {
  "use strict";
  const main = document.querySelector("main[data-watch]");
  if (!main || !window.EventSource) return;
  const watched = main.dataset.watch;
  const status = document.getElementById("live");
  const SOONEST_MS = 400;
  const FLEET_MS = 10000;
  let source = null;
  let timer = null;
  let asking = false;
  let again = false;
  let askedAt = 0;
  let lost = false;

  const say = (word) => {
    if (status && status.dataset[word] && status.textContent !== status.dataset[word]) status.textContent = status.dataset[word];
  };

  const isBusy = (part) => {
    const focus = document.activeElement;
    return focus && part.contains(focus) && /^(INPUT|SELECT|TEXTAREA)$/.test(focus.tagName);
  };

  const take = (next) => {
    document.title = next.title;
    for (const part of main.querySelectorAll("[data-live][id]")) {
      const fresh = next.getElementById(part.id);
      if (!fresh) { if (!isBusy(part)) part.replaceChildren(); continue; }
      if (isBusy(part) || part.innerHTML === fresh.innerHTML) continue;
      const open = [...part.querySelectorAll("details")].map((details) => details.open);
      [...fresh.querySelectorAll("details")].forEach((details, i) => { if (open[i]) details.open = true; });
      // Whoever stands on a link or button there goes on standing on it.
      const links = [...part.querySelectorAll("a, button, summary")];
      const at = links.indexOf(document.activeElement);
      part.replaceChildren(...fresh.childNodes);
      if (at >= 0) [...part.querySelectorAll("a, button, summary")][at]?.focus();
    }
  };

  const ask = async () => {
    timer = null;
    if (asking) { again = true; return; }
    asking = true;
    askedAt = Date.now();
    try {
      const answer = await fetch(location.href, { headers: { Accept: "text/html" }, cache: "no-store", redirect: "error" });
      if (answer.ok) {
        take(new DOMParser().parseFromString(await answer.text(), "text/html"));
        say("on");
      } else say("off");
    } catch { say("off"); }
    asking = false;
    if (again) { again = false; soon(SOONEST_MS); }
  };

  const soon = (ms) => { if (timer === null) timer = setTimeout(ask, ms); };

  const listen = () => {
    if (source) return;
    source = new EventSource("/api/v1/cases/stream");
    source.onopen = () => {
      say("on");
      // What happened while nobody listened is asked for.
      if (lost) soon(SOONEST_MS);
      lost = false;
    };
    source.onerror = () => {
      say("off");
      lost = true;
      // After an answer that is no stream the browser gives up for good: we do not.
      if (source && source.readyState === EventSource.CLOSED) { leave(); setTimeout(listen, 5000); }
    };
    source.addEventListener("case", (event) => {
      const update = JSON.parse(event.data);
      if (watched === "*" || watched === update.number) soon(SOONEST_MS);
    });
    source.addEventListener("missed", () => soon(SOONEST_MS));
    source.addEventListener("fleet", () => {
      if (Date.now() - askedAt >= FLEET_MS) soon(SOONEST_MS);
    });
  };

  const leave = () => { if (source) source.close(); source = null; };

  // A browser has few connections to one host: a page that nobody sees gives its own back.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) leave();
    else { listen(); soon(0); }
  });
  if (!document.hidden) listen();
})();
