// Keeps the overview fresh: when the page's stream says that something changed, its parts are fetched and those
// that differ are swapped; on a busy desk every few seconds at most. What has the focus stays as it is.
(() => {
  "use strict";

  const AT_MOST_EVERY_MS = 5000;

  const room = document.getElementById("room");
  let askedAt = 0;
  let timer = null;

  function swap(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html");
    for (const part of fresh.querySelectorAll("[data-now]")) {
      const old = document.getElementById(part.id);
      if (!old || old.innerHTML === part.innerHTML || old.contains(document.activeElement)) continue;
      old.replaceWith(part);
    }
  }

  async function refresh() {
    timer = null;
    askedAt = Date.now();
    try {
      const answer = await fetch(room.dataset.nowUrl, { headers: { Accept: "text/html" } });
      if (answer.redirected) location.reload(); // signed out meanwhile
      else if (answer.ok) swap(await answer.text());
    } catch (error) {
      console.debug("refresh failed, trying again", error);
    }
  }

  window.balcaoLive.listen(() => {
    if (timer) return;
    timer = setTimeout(refresh, Math.max(0, askedAt + AT_MOST_EVERY_MS - Date.now()));
  });
})();
