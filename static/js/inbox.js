// The list column: kept fresh, and moved through by keys. What is ticked, and where the focus is, stays.
(() => {
  "use strict";

  const room = document.getElementById("room");
  const chat = document.getElementById("chat");
  const list = () => document.getElementById("lines");
  let isAsking = false;
  let isAskedAgain = false;

  function replace(html) {
    const fresh = new DOMParser().parseFromString(html, "text/html").getElementById("lines");
    if (!fresh || fresh.innerHTML === list().innerHTML) return;
    const ticked = new Set([...list().querySelectorAll("input:checked")].map((box) => box.value));
    const focused = document.activeElement?.closest?.("#lines a")?.getAttribute("href");
    const focusedBox = document.activeElement?.closest?.("#lines input")?.value;
    const scrollTop = list().scrollTop;
    list().replaceChildren(...fresh.childNodes);
    for (const box of list().querySelectorAll("input")) box.checked = ticked.has(box.value);
    list().scrollTop = scrollTop;
    if (focused) list().querySelector(`a[href="${CSS.escape(focused)}"]`)?.focus();
    if (focusedBox) list().querySelector(`input[value="${focusedBox}"]`)?.focus();
  }

  async function refresh() {
    if (isAsking) { isAskedAgain = true; return; }
    isAsking = true;
    try {
      const address = new URL(room.dataset.listUrl, location.href);
      address.search = location.search;
      if (chat) address.searchParams.set("open", chat.dataset.conversation);
      const answer = await fetch(address, { headers: { Accept: "text/html" } });
      if (answer.redirected) location.reload(); // signed out meanwhile
      else if (answer.status === 200) replace(await answer.text());
    } catch (error) {
      console.debug("refresh failed, trying again", error);
    }
    isAsking = false;
    if (isAskedAgain) { isAskedAgain = false; refresh(); }
  }

  function go(step) {
    const lines = [...list().querySelectorAll("a.line")];
    const at = lines.findIndex((line) => line.getAttribute("aria-current") || line === document.activeElement);
    const to = lines[at < 0 ? 0 : at + step];
    if (to) to.click();
  }

  const keys = {
    j: () => go(1),
    k: () => go(-1),
    r: () => document.querySelector("#body, #pick, #picker summary")?.focus(),
    n: () => {
      const note = document.getElementById("note");
      note?.closest("details").setAttribute("open", "");
      note?.focus();
    },
    a: () => document.getElementById("take-over")?.click(),
    e: () => document.getElementById("close-it")?.click(),
    "/": () => document.getElementById("search")?.focus(),
    "?": () => document.getElementById("keys").showModal(),
  };

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing) return;
    if (document.querySelector("dialog[open]")) return;
    if (event.target.closest("input:not([type=checkbox]), textarea, select")) {
      if (event.key === "Escape") event.target.blur();
      return;
    }
    const act = keys[event.key.length === 1 ? event.key.toLowerCase() : ""];
    if (!act) return;
    event.preventDefault();
    act();
  });

  document.getElementById("bulk-do")?.closest("form").addEventListener("submit", (event) => {
    const form = event.target;
    if (!form.elements.do.value) { event.preventDefault(); form.elements.do.focus(); }
  });

  window.balcaoLive.listen(refresh);
})();
