// Fetches what helps an operator as a part of the page: suggested replies, the summary, a translation. A button
// that waits is busy and cannot be pressed twice. Without script the same forms show the whole page again.
(() => {
  "use strict";

  const chat = document.getElementById("chat");
  const translated = new Map(); // kept while the page is open: the thread is swapped under them

  async function part(url, form, button) {
    if (button.getAttribute("aria-busy") === "true") return null;
    button.setAttribute("aria-busy", "true");
    try {
      const fields = form ? new FormData(form) : new FormData();
      fields.set("csrf_token", chat.dataset.token);
      const answer = await fetch(url, { method: "POST", body: fields, headers: { Accept: "text/html", "X-Part": "1" } });
      if (answer.redirected) location.reload(); // signed out meanwhile
      return answer.ok && !answer.redirected ? await answer.text() : null;
    } catch (error) {
      console.debug("no answer", error); // the button is free again
      return null;
    } finally {
      button.removeAttribute("aria-busy");
    }
  }

  async function suggest(button) {
    const html = await part(button.getAttribute("formaction"), null, button);
    const shown = document.getElementById("suggestions");
    if (html === null || !shown) return;
    shown.innerHTML = html;
    shown.querySelector("button")?.focus();
  }

  function choose(form) {
    const field = document.getElementById("body");
    field.value = form.elements.suggestion.value;
    field.dispatchEvent(new Event("input", { bubbles: true }));
    document.getElementById("suggestions").replaceChildren();
    field.focus();
  }

  async function fill(form, button) {
    const target = form.dataset.part;
    const html = await part(form.action, form, button);
    if (html === null) return;
    if (target.startsWith("#t")) translated.set(target, html);
    const place = document.querySelector(target);
    if (place) place.innerHTML = html;
  }

  function putBack() {
    for (const [target, html] of translated) {
      const place = document.querySelector(`${target}:has(form)`);
      if (place) place.innerHTML = html;
    }
  }

  // The composer's own form counts as sent once it is submitted, so its second button never submits it.
  chat.addEventListener("click", (event) => {
    const button = event.target.closest("[data-suggest]");
    if (!button) return;
    event.preventDefault();
    suggest(button);
  });
  chat.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-suggestion]")) {
      event.preventDefault();
      choose(form);
    } else if (form.dataset.part) {
      event.preventDefault();
      fill(form, event.submitter ?? form.querySelector("button"));
    }
  });
  new MutationObserver(putBack).observe(chat, { childList: true });
})();
