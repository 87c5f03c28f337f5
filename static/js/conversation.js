// Keeps an open conversation fresh: fetches when the page's stream names it, swaps only the parts that changed,
// and follows the newest message while the reader is at the bottom. Without script the page is complete, only
// still.
(() => {
  "use strict";

  const NEAR_BOTTOM_PX = 80;
  const LOOK_EVERY_MS = 1500;
  const WRITTEN = ["body", "unsent", "note"];
  const STOPS = "a[href], button, input, select, textarea, summary, audio, video, [tabindex]";

  const chat = document.getElementById("chat");
  let version = chat.dataset.version;

  const thread = () => document.getElementById("thread");
  const isAtBottom = () => thread().scrollHeight - thread().scrollTop - thread().clientHeight < NEAR_BOTTOM_PX;
  const toBottom = () => { thread().scrollTop = thread().scrollHeight; };

  // The composer grows and shrinks: who reads the newest goes on reading it.
  let follows = true;
  const resized = new ResizeObserver(() => { if (follows) toBottom(); });
  chat.addEventListener("scroll", (event) => { if (event.target === thread()) follows = isAtBottom(); }, true);

  // A form's token is another one each time, and says nothing.
  const look = (part) => part.dataset.state || part.outerHTML.replace(/(name="csrf_token" value=")[^"]*/g, "$1");

  const isChosen = (select) =>
    select.value !== ([...select.options].find((option) => option.defaultSelected) ?? select.options[0])?.value;

  // Where the focus is: the element's id, or the nearest one's and its place in there. Gives how to go back;
  // what is gone leaves it in the thread.
  function stopOf(element) {
    const around = chat.contains(element) && element.closest("[id]");
    if (!around) return null;
    const place = [...around.querySelectorAll(STOPS)].indexOf(element);
    const { selectionStart, selectionEnd } = element;
    return () => {
      const found = document.getElementById(around.id);
      const now = (place < 0 ? found : found?.querySelectorAll(STOPS)[place]) ?? thread();
      if (now === document.activeElement) return;
      now.focus({ preventScroll: true });
      if (selectionStart != null) now.setSelectionRange?.(selectionStart, selectionEnd);
    };
  }

  function swap(parsed) {
    const wasAtBottom = isAtBottom();
    const open = [...thread().querySelectorAll("details[open]")].map(
      (d) => `#${d.closest("li").id} details.${[...d.classList].join(".")}`,
    );
    const scrollTop = thread().scrollTop;
    const stop = stopOf(document.activeElement);
    const chosen = [...chat.querySelectorAll("select[id]")].filter(
      (select) => select === document.activeElement || isChosen(select),
    );
    for (const fresh of parsed.querySelectorAll("[data-live]")) {
      const old = document.getElementById(fresh.id);
      if (look(fresh) === look(old)) continue;
      const written = WRITTEN.map((id) => [id, old.querySelector(`#${id}`)?.value]);
      const kept = [...old.querySelectorAll("[data-kept]")];
      const wasAt = old.scrollTop;
      old.replaceWith(fresh);
      fresh.scrollTop = wasAt;
      // Neither fetched nor decoded again; back within the same task, which keeps a sound playing.
      for (const one of kept) document.getElementById(one.id)?.replaceWith(one);
      for (const [id, words] of written) if (words) putBack(fresh, id, words);
    }
    for (const one of open) document.querySelector(one)?.setAttribute("open", "");
    for (const { id, value } of chosen) {
      const field = document.getElementById(id);
      if ([...(field?.options ?? [])].some((option) => option.value === value)) field.value = value;
    }
    stop?.();
    if (wasAtBottom) toBottom(); else thread().scrollTop = scrollTop;
    resized.observe(thread());
    growWithText();
  }

  // What was half written: the answer waits beside the lock, and comes back with the window; a note goes along.
  function putBack(part, id, words) {
    const field = part.querySelector(id === "note" ? "#note" : "#body, #unsent");
    if (!field) return;
    field.value = words;
    field.hidden = false;
    field.closest("details")?.setAttribute("open", "");
  }

  async function refresh() {
    const answer = await fetch(chat.dataset.threadUrl + location.search, {
      headers: { Accept: "text/html", "If-None-Match": `"${version}"` },
    });
    if (answer.redirected) return location.reload(); // signed out meanwhile
    if (answer.status !== 200) return undefined;
    version = (answer.headers.get("ETag") || "").replace(/^W\/|"/g, "");
    swap(new DOMParser().parseFromString(await answer.text(), "text/html"));
    lookWhetherRead();
    return undefined;
  }

  async function markRead() {
    const head = document.getElementById("chat-head");
    if (!Number(head.dataset.unread) || document.hidden || !document.hasFocus()) return;
    const answer = await fetch(chat.dataset.readUrl, { method: "POST", headers: { "X-CSRFToken": chat.dataset.token } });
    if (!answer.ok) return;
    document.getElementById("chat-head").dataset.unread = "0";
    window.balcaoLive.tell([Number(chat.dataset.conversation)], keepFresh);
  }

  function lookWhetherRead() {
    markRead().catch((error) => console.debug("not marked as read, trying again", error));
  }

  let isAsking = false;
  let isAskedAgain = false;

  async function keepFresh(conversations) {
    const isOurs = conversations.some((id) => id === window.balcaoLive.EVERYTHING || String(id) === chat.dataset.conversation);
    if (!isOurs) return;
    if (isAsking) { isAskedAgain = true; return; }
    isAsking = true;
    try {
      await refresh();
    } catch (error) {
      console.debug("refresh failed, trying again", error); // the network comes back, or the next page tells
    }
    isAsking = false;
    if (isAskedAgain) { isAskedAgain = false; keepFresh(conversations); }
  }

  function growWithText() {
    const field = document.getElementById("body");
    if (!field || field.dataset.grows) return;
    field.dataset.grows = "1";
    const grow = () => { field.rows = Math.min(6, field.value.split("\n").length); };
    field.addEventListener("input", grow);
    field.addEventListener("keydown", (event) => {
      if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
      event.preventDefault();
      if (!field.value.trim() && !document.getElementById("file")?.files.length) return;
      field.form.requestSubmit();
    });
    field.form.addEventListener("submit", (event) => {
      if (field.form.dataset.sent) event.preventDefault();
      field.form.dataset.sent = "1";
    });
    grow();
  }

  growWithText();
  if (!chat.dataset.threadUrl) return; // an older page stands still
  if (document.querySelector(".bubble:target")) follows = isAtBottom();
  resized.observe(thread());
  lookWhetherRead();
  setInterval(lookWhetherRead, LOOK_EVERY_MS); // whoever comes back to the window has read it then
  window.balcaoLive.listen(keepFresh);
})();
