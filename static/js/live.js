// One event stream for the page: it names the conversations that changed, and whoever listens fetches anew.
// Where no stream can be had, and beside it from time to time, everything is asked for in turns.
(() => {
  "use strict";

  const POLL_MS = 4000;
  const SAFETY_MS = 30000;
  const TRY_AGAIN_MS = 60000;
  const EVERYTHING = 0;

  const listeners = [];
  let stream = null;
  let isStreaming = false;
  let askedAt = Date.now();
  // Where the stream goes on: after what the page shows, then after what was heard last.
  const address = new URL(document.getElementById("room").dataset.liveUrl, location.href);

  function tell(conversations, teller) {
    askedAt = conversations.includes(EVERYTHING) ? Date.now() : askedAt;
    for (const listener of listeners) if (listener !== teller) listener(conversations);
  }

  function open() {
    stream = new EventSource(address);
    stream.addEventListener("open", () => {
      isStreaming = true;
      document.documentElement.dataset.live = "stream";
    });
    stream.addEventListener("changed", (event) => {
      address.searchParams.set("after", event.lastEventId);
      tell(JSON.parse(event.data).conversations);
    });
    stream.addEventListener("error", () => {
      isStreaming = false;
      document.documentElement.dataset.live = "poll";
      if (stream.readyState !== EventSource.CLOSED) return; // the browser comes back by itself
      stream = null; // no place, or signed out: the next question tells
      setTimeout(reopen, TRY_AGAIN_MS);
    });
  }

  function close() {
    stream?.close();
    stream = null;
    isStreaming = false;
  }

  function reopen() {
    if (!document.hidden && !stream) open();
  }

  setInterval(() => {
    if (document.hidden) return;
    if (Date.now() - askedAt >= (isStreaming ? SAFETY_MS : POLL_MS)) tell([EVERYTHING]);
  }, 1000);
  // A browser opens few connections to one server: a page that nobody sees gives its own back.
  document.addEventListener("visibilitychange", () => { if (document.hidden) close(); else reopen(); });
  addEventListener("pagehide", close);

  window.balcaoLive = {
    // Call `listener` with the ids of conversations that changed; EVERYTHING stands for all.
    listen(listener) { listeners.push(listener); },
    // What this page itself changed for its reader alone, which the stream does not say; `teller` knows it.
    tell,
    EVERYTHING,
  };
  reopen();
})();
