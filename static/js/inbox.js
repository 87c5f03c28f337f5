// Keeps the first page of the inbox fresh while it is looked at.
(() => {
  "use strict";

  const list = document.getElementById("conversations");
  const everySecs = Number(list.dataset.refreshEvery || 0);
  if (!everySecs) return;

  async function refresh() {
    const answer = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (answer.redirected) return location.reload();
    if (answer.status !== 200) return undefined;
    const parsed = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = parsed.getElementById("conversations");
    if (fresh.innerHTML === list.innerHTML) return undefined;
    const focused = document.activeElement?.closest?.("#conversations a")?.getAttribute("href");
    list.innerHTML = fresh.innerHTML;
    if (focused) list.querySelector(`a[href="${focused}"]`)?.focus();
    return undefined;
  }

  setInterval(() => {
    if (!document.hidden) refresh().catch((error) => console.debug("refresh failed, trying again", error));
  }, everySecs * 1000);
})();
