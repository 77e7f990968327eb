// Keeps a page fresh, and says so when it cannot: it is asked for again now and then and whenever the server says that something
// has changed, and its parts marked `data-live` are taken over. A part that somebody is typing in, or has marked text in, is left
// alone and says of when it is. When two refreshes in a row are missed the page itself turns to "cannot be seen" and counts its age.
(() => {
  "use strict";
  const main = document.querySelector("main[data-fresh]");
  const asOf = document.getElementById("as-of");
  const lostBox = document.getElementById("lost");
  const page = document.getElementById("page");
  if (!main || !asOf || !lostBox || !page) return;
  const watched = main.dataset.watch;
  const status = document.getElementById("live");
  const SOONEST_MS = 400;
  const FLEET_MS = 9000;
  const EVERY_MS = 10000;
  const AGAIN_MS = 5000;
  // A server that holds the connection and says nothing is missed, too.
  const ANSWER_MS = 8000;
  // Two refreshes and a half.
  const OLD_MS = 25000;
  // A page that nobody sees asks for itself seldom, and browsers let its timers run once a minute.
  const HIDDEN_EVERY_MS = 30000;
  const HIDDEN_OLD_MS = 150000;
  // A page that is sent away again as soon as it is there would go round in circles.
  const SETTLED_MS = 60000;

  // Time since the page was asked for. The wall clock may be set, and the other one may stand while the machine sleeps.
  let wall = Date.now();
  let steady = performance.now();
  let passed = steady;
  const clock = () => {
    const [w, s] = [Date.now(), performance.now()];
    passed += Math.max(w - wall, s - steady, 0);
    [wall, steady] = [w, s];
    return passed;
  };

  let source = null;
  let timer = null;
  let asking = false;
  let again = false;
  let askedAt = 0;
  // When what is shown was asked for, and how old it was then.
  let goodAt = 0;
  let misses = 0;
  let isLost = false;
  let isOut = false;
  let freshTitle = document.title;

  const make = (tag, id, inside = []) => {
    const element = document.createElement(tag);
    if (id) element.id = id;
    element.replaceChildren(...inside);
    return element;
  };

  // The banner that turns up: its words stand in attributes, so that nobody reads them before they are true.
  const words = lostBox.dataset;
  const [word, since, counted, login, link] = [make("p"), make("p"), make("p", "lost-age"), make("p", "lost-login"), make("a")];
  const [mark, alert] = [make("span"), make("div", "", [word, since])];
  word.className = "title";
  mark.className = "mark";
  mark.ariaHidden = "true";
  mark.textContent = words.mark;
  alert.role = "alert";
  link.href = words.address;
  link.target = "_blank";
  link.textContent = words.login;
  login.replaceChildren(words.out, " ", link);
  lostBox.replaceChildren(mark, make("div", "", [alert, counted, login]));

  const say = (word) => {
    if (status && status.dataset[word] && status.textContent !== status.dataset[word]) status.textContent = status.dataset[word];
  };

  const length = (ms) => {
    const s = Math.max(0, Math.floor(ms / 1000));
    const { seconds, minutes, hours } = words;
    if (s < 120) return seconds.replace("#", s);
    if (s < 3600) return minutes.replace("#", Math.floor(s / 60));
    return hours.replace("##", String(Math.floor(s / 60) % 60).padStart(2, "0")).replace("#", Math.floor(s / 3600));
  };

  const put = (element, text) => { if (element && element.textContent !== text) element.textContent = text; };

  // Once a second: how old is what is shown, and can it still be refreshed?
  const look = () => {
    const time = asOf.querySelector("time");
    const shown = time ? time.textContent : "";
    const age = length(Number(asOf.dataset.age) + (clock() - goodAt) * Number(asOf.dataset.speed));
    put(document.getElementById("age"), words.ago.replace("#", age));
    const unseen = clock() - goodAt;
    isLost = isOut || misses >= 2 || unseen > (document.hidden ? HIDDEN_OLD_MS : OLD_MS);
    document.body.classList.toggle("lost", isLost);
    if (lostBox.hidden === isLost) lostBox.hidden = !isLost;
    put(word, isLost ? words.word : "");
    put(since, isLost ? words.since.replace("#", shown) : "");
    put(counted, isLost ? words.counted.replace("#", length(unseen)) : "");
    login.hidden = !isOut;
    const title = isLost ? words.title.replace("#", length(unseen)) : freshTitle;
    if (document.title !== title) document.title = title;
  };

  const isChanged = (field) => {
    if (field.type === "hidden") return false;
    if (field.tagName === "SELECT") {
      const preset = [...field.options].findIndex((option) => option.defaultSelected);
      return field.selectedIndex !== Math.max(preset, 0);
    }
    if (field.type === "checkbox" || field.type === "radio") return field.checked !== field.defaultChecked;
    return field.value !== field.defaultValue;
  };

  const isTyped = (root) => [...root.querySelectorAll("input, select, textarea")].some(isChanged);

  const isBusy = (part) => {
    const focus = document.activeElement;
    if (focus && part.contains(focus) && /^(INPUT|SELECT|TEXTAREA)$/.test(focus.tagName)) return true;
    const marked = getSelection();
    if (marked && !marked.isCollapsed && part.contains(marked.anchorNode)) return true;
    return isTyped(part);
  };

  const replace = (part, fresh) => {
    if ("same" in fresh.dataset || part.innerHTML === fresh.innerHTML) { delete part.dataset.held; return; }
    if (isBusy(part)) {
      const time = asOf.querySelector("time");
      if (!part.dataset.held) part.dataset.held = words.hold.replace("#", time ? time.textContent : "");
      return;
    }
    const open = [...part.querySelectorAll("details")].map((details) => details.open);
    [...fresh.querySelectorAll("details")].forEach((details, i) => { if (open[i]) details.open = true; });
    // Whoever stands on a link or button there goes on standing on it.
    const links = [...part.querySelectorAll("a, button, summary")];
    const at = links.indexOf(document.activeElement);
    part.replaceChildren(...fresh.childNodes);
    delete part.dataset.held;
    if (at >= 0) [...part.querySelectorAll("a, button, summary")][at]?.focus();
  };

  // The outermost ones: what is inside of one comes with it.
  const parts = (root) => [...root.querySelectorAll("[data-live][id]")].filter((part) => !part.parentElement.closest("[data-live]"));
  const shape = (root) => parts(root).map((part) => part.id).join(" ");

  const take = (next) => {
    freshTitle = next.title;
    const fresh = next.getElementById("page");
    // Another kind of page than before: an event has become an incident, say.
    if (shape(page) !== shape(fresh)) replace(page, fresh);
    else {
      delete page.dataset.held;
      for (const part of parts(page)) replace(part, fresh.querySelector(`#${CSS.escape(part.id)}`));
    }
    // What the server need not send again: what it has sent and is shown.
    const isHeld = (part) => document.getElementById(part.slice(0, part.lastIndexOf("=")))?.dataset.held;
    const had = next.getElementById("content").dataset.parts || "";
    main.dataset.parts = had.split(" ").map((part) => (isHeld(part) ? `${part}-` : part)).join(" ");
    const token = next.querySelector("input[name=form_token]");
    if (token) for (const own of document.querySelectorAll("input[name=form_token]")) own.value = token.value;
    const now = next.getElementById("as-of");
    asOf.dataset.age = now.dataset.age;
    asOf.replaceChildren(...now.childNodes);
  };

  const good = (begun) => {
    misses = 0;
    isOut = false;
    goodAt = begun;
    say("on");
  };

  const missed = () => { misses += 1; say("off"); };

  // Whoever is not logged in any more goes to the login, unless something typed would be lost.
  const out = (go) => {
    if (isTyped(document)) { isOut = true; return; }
    go();
  };

  const refresh = async () => {
    const begun = clock();
    // A page that shows nothing living only asks whether it could be: the time it says stays the one of what it shows.
    const still = main.dataset.fresh === "still";
    const answer = await fetch(main.dataset.ask || location.href, {
      headers: { Accept: "text/html", "X-Fleetwatch-Refresh": "1", "X-Fleetwatch-Have": main.dataset.parts || "" },
      cache: "no-store",
      redirect: "manual",
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    if (answer.status === 401) return out(() => location.assign(link.href));
    if (answer.type === "opaqueredirect" && clock() > SETTLED_MS) return out(() => location.reload());
    if (!answer.ok) return missed();
    const next = main.dataset.ask ? null : new DOMParser().parseFromString(await answer.text(), "text/html");
    // An answer that is not ours, of a proxy for instance, shows nothing.
    if (next && !(next.getElementById("as-of") && next.getElementById("page"))) return missed();
    if (still) {
      asOf.dataset.age = Number(asOf.dataset.age) + (begun - goodAt) * Number(asOf.dataset.speed);
    } else if (next) take(next);
    return good(begun);
  };

  const ask = async () => {
    timer = null;
    if (asking) { again = true; return; }
    asking = true;
    askedAt = clock();
    try { await refresh(); } catch { missed(); }
    asking = false;
    look();
    if (again) { again = false; soon(SOONEST_MS); return; }
    soon(misses > 0 ? AGAIN_MS : document.hidden ? HIDDEN_EVERY_MS : EVERY_MS);
  };

  // The earlier of two requests counts.
  let due = Infinity;
  const soon = (ms) => {
    const at = clock() + ms;
    if (timer !== null) {
      if (due <= at) return;
      clearTimeout(timer);
    }
    due = at;
    timer = setTimeout(ask, ms);
  };

  const listen = () => {
    if (source || !watched || !window.EventSource) return;
    source = new EventSource("/api/v1/incidents/stream");
    let before = false;
    source.onopen = () => {
      say("on");
      // What happened while nobody listened is asked for.
      if (before) soon(SOONEST_MS);
      before = true;
    };
    source.onerror = () => {
      say("off");
      soon(SOONEST_MS);
      // After an answer that is no stream the browser gives up for good: we do not.
      if (source && source.readyState === EventSource.CLOSED) { leave(); setTimeout(() => { if (!document.hidden) listen(); }, EVERY_MS); }
    };
    source.addEventListener("incident", (event) => {
      const update = JSON.parse(event.data);
      if (watched === "*" || watched === update.number) soon(SOONEST_MS);
    });
    source.addEventListener("missed", () => soon(SOONEST_MS));
    source.addEventListener("fleet", () => { if (clock() - askedAt >= FLEET_MS) soon(SOONEST_MS); });
  };

  const leave = () => { if (source) source.close(); source = null; };

  // A browser has few connections to one host: a page that nobody sees gives its own back.
  const wake = () => {
    look();
    if (document.hidden) leave();
    else { listen(); soon(0); }
  };
  document.addEventListener("visibilitychange", wake);
  document.addEventListener("resume", wake);
  window.addEventListener("pageshow", (event) => { if (event.persisted) wake(); });
  window.addEventListener("online", wake);
  setInterval(look, 1000);
  look();
  soon(EVERY_MS);
  if (!document.hidden) listen();
})();
