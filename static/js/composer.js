// "/" at the beginning of an answer offers the canned replies; arrows and Enter choose, Escape leaves. A file that
// was chosen is named, and may be taken away again. The 24-hour window is counted down. Where it is closed, the
// templates come when they are asked for, and a preview follows what is typed.
(() => {
  "use strict";

  const COUNT_EVERY_MS = 10000;
  const PREVIEW_AFTER_MS = 250;

  const chat = document.getElementById("chat");
  let replies = null;

  const shown = () => document.getElementById("canned");
  const field = () => document.getElementById("body");

  async function fetched() {
    if (replies === null) {
      const answer = await fetch(chat.dataset.cannedUrl, { headers: { Accept: "text/html" } });
      if (!answer.ok || answer.redirected) return "";
      replies = await answer.text();
    }
    return replies;
  }

  async function offer() {
    const written = field().value;
    const list = shown();
    if (!list) return;
    if (!/^\/\S*$/.test(written)) { list.hidden = true; return; }
    if (!list.childElementCount) list.innerHTML = await fetched();
    const wanted = written.slice(1).toLowerCase();
    for (const button of list.querySelectorAll("[data-canned]")) {
      button.parentElement.hidden = !button.dataset.shortcut.startsWith(wanted);
    }
    list.hidden = false;
  }

  function put(button) {
    const of = field();
    of.value = button.dataset.canned;
    shown().hidden = true;
    of.dispatchEvent(new Event("input", { bubbles: true }));
    of.focus();
  }

  function showFile() {
    const chosen = document.getElementById("file");
    const file = chosen.files[0];
    // The server would not read that much, and what was written would be gone with it.
    const isTooLarge = file?.size > Number(chosen.dataset.most);
    if (isTooLarge) chosen.value = "";
    const shownFile = document.getElementById("attached");
    shownFile.hidden = !file;
    shownFile.querySelector("span").textContent = isTooLarge ? chosen.dataset.tooLarge : file?.name ?? "";
    if (file) field().focus();
  }

  function countDown() {
    const closes = document.getElementById("window-closes"); // it comes anew when the customer writes
    const left = document.getElementById("window-left");
    if (!closes || !left) return;
    const minutes = Math.max(0, Math.floor((Date.parse(closes.value) - Date.now()) / 60000));
    left.textContent = `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} min`;
  }
  setInterval(countDown, COUNT_EVERY_MS);

  async function pick(link) {
    const answer = await fetch(link.dataset.picker, { headers: { Accept: "text/html" } });
    if (!answer.ok || answer.redirected) return location.assign(link.href);
    const place = document.createElement("div");
    place.innerHTML = await answer.text();
    link.parentElement.replaceWith(place);
    place.querySelector("summary")?.focus();
    return undefined;
  }

  let typed = 0;

  function preview(form) {
    clearTimeout(typed);
    typed = setTimeout(async () => {
      const fields = new FormData(form);
      fields.set("preview", "1");
      const answer = await fetch(form.action, { method: "POST", body: fields, headers: { Accept: "text/html", "X-Part": "1" } });
      if (answer.ok && !answer.redirected) form.querySelector(".picker-preview").innerHTML = await answer.text();
    }, PREVIEW_AFTER_MS);
  }

  chat.addEventListener("click", (event) => {
    const link = event.target.closest("[data-picker]");
    if (!link || event.ctrlKey || event.metaKey) return;
    event.preventDefault();
    pick(link).catch(() => location.assign(link.href));
  });
  chat.addEventListener("toggle", (event) => {
    if (event.target.matches(".picker-row[open]")) event.target.scrollIntoView({ block: "nearest" });
  }, true);
  chat.addEventListener("input", (event) => {
    const form = event.target.closest("[data-template]");
    if (form) preview(form);
  });

  chat.addEventListener("change", (event) => { if (event.target.id === "file") showFile(); });
  chat.addEventListener("click", (event) => {
    if (!event.target.closest("#detach")) return;
    document.getElementById("file").value = "";
    showFile();
  });
  chat.addEventListener("input", (event) => { if (event.target.id === "body") offer(); });
  chat.addEventListener("click", (event) => {
    const button = event.target.closest("[data-canned]");
    if (button) put(button);
  });
  // Before the composer's own Enter, which sends.
  chat.addEventListener("keydown", (event) => {
    const list = shown();
    if (!list || list.hidden) return;
    const free = [...list.querySelectorAll("li:not([hidden]) [data-canned]")];
    if (event.key === "Escape") { list.hidden = true; field().focus(); event.stopPropagation(); }
    if (!free.length) return;
    const at = free.indexOf(document.activeElement);
    if (event.key === "Enter" && event.target.id === "body") {
      event.preventDefault();
      event.stopPropagation();
      put(free[0]);
    } else if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      free[Math.max(0, Math.min(free.length - 1, at + (event.key === "ArrowDown" ? 1 : -1)))].focus();
    }
  }, true);
})();
