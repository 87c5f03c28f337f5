// The phone emulator: asks for the screen, shows it, and posts what the customer does. Every webhook is built, signed
// and posted by the server; this file only says what happened on the phone.
(function () {
  "use strict";

  const root = document.getElementById("simulator");
  if (!root) return;

  const POLL_MS = 1000;
  const QUICK_POLL_MS = 250;
  const QUICK_FOR_MS = 8000;
  const TOAST_MS = 4000;
  const DOORS_KEPT = 8;
  const CUSTOMERS_KEPT = 40;

  const number = root.dataset.number;
  const words = root.dataset;
  const find = (name) => root.querySelector(`[data-${name}]`);
  const phone = document.getElementById("phone");
  const log = find("log");
  const empty = find("empty");
  const field = find("field");
  const sheet = find("sheet");
  const picker = document.getElementById("customer");

  const flags = { ad: false, fail: false, lock: false };
  const receiptsSent = new Set();   // "external id:status" that this phone has told already
  const shown = new Map();          // bubble key -> the HTML it was made from
  const drafts = new Map();         // external id, once known -> bubble that waits for its row
  let customers = [];
  let customer = null;
  let revision = "";
  let isWorkerAlive = true;
  let lastRequest = null;
  let quickUntil = 0;
  let poll = null;
  let isPolling = false;
  let sheetOpener = null;

  // --- the customers of this browser ---------------------------------------------------------------------

  const storeKey = `balcao.simulator.${number}`;

  function loadCustomers() {
    const known = JSON.parse(document.getElementById("customers").textContent);
    let kept = [];
    let chosen = null;
    try {
      const stored = JSON.parse(localStorage.getItem(storeKey) || "{}");
      kept = Array.isArray(stored.customers) ? stored.customers : [];
      chosen = stored.chosen;
    } catch (error) {
      console.warn("simulator: stored customers could not be read", error);
    }
    const byId = new Map();
    for (const one of [...kept, ...known]) {
      if (!one || !one.bsuid) continue;
      const before = byId.get(one.bsuid);
      // The desk never learns a hidden number; this phone still knows its own.
      byId.set(one.bsuid, before ? { ...one, ...before, name: one.name || before.name } : one);
    }
    customers = [...byId.values()];
    customer = customers.find((one) => one.bsuid === chosen) || customers[0] || null;
  }

  function keepCustomers() {
    customers = customers.slice(0, CUSTOMERS_KEPT);
    try {
      localStorage.setItem(storeKey, JSON.stringify({ customers, chosen: customer && customer.bsuid }));
    } catch (error) {
      console.warn("simulator: customers are kept for this page only", error);
    }
  }

  function showCustomers() {
    picker.replaceChildren();
    for (const one of customers) {
      const option = new Option(one.label || one.name || one.bsuid, one.bsuid);
      option.selected = customer !== null && one.bsuid === customer.bsuid;
      picker.append(option);
    }
    for (const button of root.querySelectorAll('[data-act="hide"]')) {
      button.setAttribute("aria-pressed", String(Boolean(customer && customer.hides_phone)));
    }
  }

  function choose(one) {
    customer = one;
    revision = "";
    shown.clear();
    drafts.clear();
    log.replaceChildren(empty);
    closeSheet();
    keepCustomers();
    showCustomers();
    look();
  }

  // --- talking to the server -----------------------------------------------------------------------------

  async function ask(url, body) {
    const options = { headers: { Accept: "application/json" }, credentials: "same-origin" };
    if (body) {
      options.method = "POST";
      options.headers["Content-Type"] = "application/json";
      options.headers["X-CSRFToken"] = root.dataset.csrf;
      options.body = JSON.stringify(body);
    }
    const answer = await fetch(url, options);
    const isJson = (answer.headers.get("Content-Type") || "").includes("json");
    const data = isJson ? await answer.json() : {};
    if (!answer.ok) throw new Error((data.error && data.error.message) || words.failed);
    return data;
  }

  async function act(name, extra) {
    if (!customer) return null;
    const body = { number, customer, act: name, ...extra };
    try {
      const result = await ask(words.actUrl, body);
      (result.posts || []).forEach(showDoor);
      hurry();
      return result;
    } catch (error) {
      toast(error.message);
      return null;
    }
  }

  function hurry() {
    quickUntil = Date.now() + QUICK_FOR_MS;
    schedule(QUICK_POLL_MS / 2);
  }

  function schedule(ms) {
    clearTimeout(poll);
    poll = setTimeout(look, ms);
  }

  async function look() {
    clearTimeout(poll);
    if (isPolling) return schedule(QUICK_POLL_MS);
    if (!customer) return;
    const asked = customer;
    isPolling = true;
    try {
      const query = new URLSearchParams({
        wa_id: asked.wa_id || "", bsuid: asked.bsuid, name: asked.name || "",
        hides_phone: asked.hides_phone ? "1" : "", after: revision,
      });
      const screen = await ask(`${words.phoneUrl}?${query}`);
      if (asked === customer) show(screen);
    } catch (error) {
      toast(error.message || words.failed);
    } finally {
      isPolling = false;
      if (!document.hidden) schedule(Date.now() < quickUntil ? QUICK_POLL_MS : POLL_MS);
    }
  }

  // --- the screen ----------------------------------------------------------------------------------------

  function show(screen) {
    if (!screen.is_changed) return;
    revision = screen.revision;
    isWorkerAlive = screen.is_worker_alive;
    document.getElementById("no-worker").hidden = isWorkerAlive;
    find("facts").innerHTML = screen.facts_html;
    showBubbles(screen);
    showTurns(screen.turns);
    tellReceipts(screen.bubbles);
  }

  function showBubbles(screen) {
    const isFirstLook = shown.size === 0;
    const wasAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 80;
    const keys = new Set(screen.bubbles.map((bubble) => bubble.key));
    for (const [key, row] of [...log.querySelectorAll("[data-key]")].map((row) => [row.dataset.key, row])) {
      if (!keys.has(key)) {
        row.remove();
        shown.delete(key);
      }
    }
    let previous = null;
    for (const bubble of screen.bubbles) {
      const existing = log.querySelector(`[data-key="${CSS.escape(bubble.key)}"]`);
      let row = existing;
      if (!existing || shown.get(bubble.key) !== bubble.html) {
        row = fromHtml(bubble.html);
        row.dataset.key = bubble.key;
        if (existing) {
          redraw(existing, row);
        } else if (!isFirstLook) {
          announce(row);
        }
        shown.set(bubble.key, bubble.html);
      }
      const wanted = previous ? previous.nextElementSibling : log.firstElementChild;
      if (row !== wanted) log.insertBefore(row, wanted);
      previous = row;
      const draft = drafts.get(bubble.external_id);
      if (draft) {
        // The words are there already: let the row take the draft's place without moving again.
        row.classList.add("is-still");
        draft.remove();
        drafts.delete(bubble.external_id);
      }
    }
    if (keys.size || drafts.size) empty.remove();
    else if (!empty.isConnected) log.append(empty);
    showTyping(screen.is_typing);
    // Somebody who reads further up is not pulled away.
    if (isFirstLook || wasAtEnd) scrollToEnd();
  }

  // Whoever stands on one of the bubble's buttons stays there.
  function redraw(existing, row) {
    const stop = [...existing.querySelectorAll("button")].indexOf(document.activeElement);
    row.classList.add("is-still");
    existing.replaceWith(row);
    row.querySelectorAll("button")[stop]?.focus();
  }

  // A tick that changes makes a bubble anew; only a new one is read aloud.
  function announce(row) {
    const text = row.querySelector(".bubble-text");
    if (row.classList.contains("is-theirs") && text) find("announce").textContent = text.textContent;
  }

  function showTyping(isTyping) {
    const presence = find("presence");
    phone.classList.toggle("is-typing", isTyping);
    presence.textContent = isTyping ? presence.dataset.typing : presence.dataset.idle;
    const row = log.querySelector("[data-typing-row]");
    if (row) row.remove();
    if (isTyping) {
      log.append(document.getElementById("typing-bubble").content.cloneNode(true));
      scrollToEnd();
    }
  }

  function showTurns(turns) {
    const list = find("turns");
    const open = new Set([...list.querySelectorAll("details.turn[open]")].map((turn) => turn.dataset.key));
    const closed = new Set([...list.querySelectorAll("details.turn:not([open])")].map((turn) => turn.dataset.key));
    find("xray-empty").hidden = turns.length > 0;
    const known = new Map([...list.children].map((turn) => [turn.dataset.key, turn]));
    const rows = turns.map((turn, index) => {
      const key = `t${turn.id}`;
      const before = known.get(key);
      if (before && shown.get(key) === turn.html) return before;
      shown.set(key, turn.html);
      const row = fromHtml(turn.html);
      row.dataset.key = key;
      if (closed.has(key)) row.open = false;
      else if (open.has(key) || index === 0) row.open = true;
      return row;
    });
    if (rows.length && !known.has(rows[0].dataset.key)) {
      rows.slice(1).forEach((row) => { row.open = false; });
      rows[0].open = true;
    }
    list.replaceChildren(...rows);
  }

  function showDraft(text) {
    const row = document.getElementById("draft-bubble").content.firstElementChild.cloneNode(true);
    row.querySelector("[data-text]").textContent = text;
    empty.remove();
    log.append(row);
    scrollToEnd();
    return row;
  }

  function settleDraft(row, result) {
    const ids = (result && result.external_ids) || [];
    if (!result || (result.posts || []).some((post) => post.status !== 200)) {
      row.querySelector("[data-mark]").innerHTML = '<i class="fa-solid fa-circle-exclamation tick is-failed"></i>';
      row.querySelector("[data-mark]").title = words.notTaken;
      return;
    }
    if (ids.length && log.querySelector(`[data-external-id="${CSS.escape(ids[0])}"]`)) row.remove();
    else if (ids.length) drafts.set(ids[0], row);
  }

  function scrollToEnd() {
    log.scrollTop = log.scrollHeight;
  }

  function fromHtml(html) {
    const template = document.createElement("template");
    template.innerHTML = html.trim();
    return template.content.firstElementChild;
  }

  function showDoor(post) {
    const list = find("doors");
    list.prepend(fromHtml(post.html));
    while (list.children.length > DOORS_KEPT) list.lastElementChild.remove();
    lastRequest = post.request;
    for (const button of root.querySelectorAll('[data-act="repeat"]')) button.disabled = false;
  }

  function toast(text) {
    const line = find("toast");
    line.textContent = text;
    line.hidden = false;
    clearTimeout(toast.timer);
    toast.timer = setTimeout(() => { line.hidden = true; }, TOAST_MS);
  }

  // --- receipts: the phone tells that a message arrived, and that it was read -----------------------------

  function tellReceipts(bubbles) {
    const wanted = [];
    const isSeen = !flags.lock && document.visibilityState === "visible";
    for (const bubble of bubbles) {
      if (!bubble.wants_receipts) continue;
      const tell = (status) => {
        const key = `${bubble.external_id}:${status}`;
        if (receiptsSent.has(key)) return;
        receiptsSent.add(key);
        wanted.push({ external_id: bubble.external_id, status });
      };
      if (receiptsSent.has(`${bubble.external_id}:failed`)) continue;
      if (flags.fail && bubble.status !== "delivered" && !receiptsSent.has(`${bubble.external_id}:delivered`)) {
        tell("failed");
        setFlag("fail", false);
        continue;
      }
      if (bubble.status !== "delivered") {
        tell("sent");
        tell("delivered");
      } else if (isSeen) {
        tell("read");
      }
    }
    if (wanted.length) act("receipts", { receipts: wanted });
  }

  // --- what the customer does ----------------------------------------------------------------------------

  async function say(text) {
    const words = text.trim();
    if (!words || !customer) return;
    const row = showDraft(words);
    const ad = flags.ad;
    setFlag("ad", false);
    settleDraft(row, await act("text", { text: words, ad }));
  }

  async function press(button) {
    const data = button.dataset;
    closeSheet();
    const row = showDraft(data.title);
    settleDraft(row, await act("choice", {
      kind: data.choice, id: data.id, title: data.title, description: data.description || "", quotes: data.quotes,
    }));
  }

  const EVENTS = {
    repeat: () => lastRequest && act("repeat", { request: lastRequest }),
    disorder: () => act("disorder"),
    burst: () => act("burst"),
    hide: () => {
      customer.hides_phone = !customer.hides_phone;
      choose(customer);
    },
    ad: () => setFlag("ad", !flags.ad),
    fail: () => setFlag("fail", !flags.fail),
    lock: () => {
      setFlag("lock", !flags.lock);
      revision = "";
      look();
    },
    age: async () => { if (await act("age")) toast(words.aged); },
    owner: () => act("owner", { text: field.value.trim() }).then((result) => { if (result) emptyField(); }),
    order: () => act("order"),
    location: () => act("location"),
    media: () => act("media"),
    voice: () => act("voice"),
    document: () => act("document"),
    reaction: () => act("reaction"),
  };

  function setFlag(name, isOn) {
    flags[name] = isOn;
    for (const button of root.querySelectorAll(`[data-act="${name}"]`)) button.setAttribute("aria-pressed", String(isOn));
  }

  // --- the bottom sheet ----------------------------------------------------------------------------------

  function openSheet(title, content, opener) {
    find("sheet-title").textContent = title;
    find("sheet-body").replaceChildren(content);
    sheet.hidden = false;
    sheetOpener = opener;
    const first = sheet.querySelector(".sheet-body button");
    (first || sheet.querySelector("[data-sheet-close]")).focus();
  }

  // A receipt draws the bubble anew while its list is open.
  function stillThere(opener) {
    if (!opener || opener.isConnected) return opener;
    const drawn = opener.closest("[data-external-id]")?.dataset.externalId;
    return drawn ? root.querySelector(`[data-external-id="${CSS.escape(drawn)}"] [data-list]`) : null;
  }

  function closeSheet() {
    if (sheet.hidden) return;
    sheet.hidden = true;
    (stillThere(sheetOpener) || field).focus();
  }

  function moveInSheet(event) {
    const stops = [...sheet.querySelectorAll(".sheet-panel button")];
    const at = stops.indexOf(document.activeElement);
    const steps = { ArrowDown: 1, ArrowUp: -1, Tab: event.shiftKey ? -1 : 1 };
    if (!(event.key in steps)) return;
    event.preventDefault();
    stops[(at + steps[event.key] + stops.length) % stops.length].focus();
  }

  // --- listening -----------------------------------------------------------------------------------------

  function emptyField() {
    field.value = "";
    fitField();
  }

  function fitField() {
    field.rows = Math.min(5, field.value.split("\n").length);
  }

  find("compose").addEventListener("submit", (event) => {
    event.preventDefault();
    if (!customer) {  // nobody is at the phone: the words wait
      document.querySelector("[data-new]").open = true;
      document.getElementById("new-country").focus();
      return;
    }
    const text = field.value;
    emptyField();
    say(text);
    field.focus();
  });

  field.addEventListener("input", fitField);
  field.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && !event.shiftKey && !event.isComposing) {
      event.preventDefault();
      find("compose").requestSubmit();
    }
  });

  root.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (!button) return;
    if (button.dataset.choice) press(button);
    else if ("list" in button.dataset) openSheet(button.textContent.trim(), button.nextElementSibling.content.cloneNode(true), button);
    else if ("attach" in button.dataset) openSheet(button.getAttribute("aria-label"), document.getElementById("attach-rows").content.cloneNode(true), button);
    else if ("sheetClose" in button.dataset) closeSheet();
    else if (button.dataset.say) say(button.dataset.say);
    else if (button.dataset.act in EVENTS && customer) {
      closeSheet();
      EVENTS[button.dataset.act]();
    }
  });

  document.addEventListener("keydown", (event) => {
    if (sheet.hidden) return;
    if (event.key === "Escape") closeSheet();
    else moveInSheet(event);
  });

  picker.addEventListener("change", () => choose(customers.find((one) => one.bsuid === picker.value)));

  document.getElementById("new-customer").addEventListener("submit", async (event) => {
    event.preventDefault();
    const form = event.target;
    try {
      const made = await ask(words.customerUrl, { number, country: form.country.value, name: form.name.value });
      customers.unshift(made.customer);
      form.name.value = "";
      form.closest("details").open = false;
      choose(made.customer);
      field.focus();
    } catch (error) {
      toast(error.message);
    }
  });

  const numberPicker = document.getElementById("number");
  numberPicker.addEventListener("change", () => numberPicker.form.submit());

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    revision = "";  // what arrived while nobody looked is read now
    look();
  });

  function tickClock() {
    const clock = find("clock");
    const shape = { hour: "2-digit", minute: "2-digit", timeZone: clock.dataset.zone };
    clock.textContent = new Date().toLocaleTimeString(document.documentElement.lang, shape);
  }

  // --- begin ---------------------------------------------------------------------------------------------

  for (const button of root.querySelectorAll('[data-act="repeat"]')) button.disabled = true;
  tickClock();
  setInterval(tickClock, 15000);
  loadCustomers();
  keepCustomers();
  showCustomers();
  look();
})();
