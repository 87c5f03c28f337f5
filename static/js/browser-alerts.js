// Lets an operator's browser show alerts: asks for permission, subscribes, and sends the subscription with the
// page's own form. Where a browser cannot, the page says so.
(() => {
  "use strict";

  const box = document.getElementById("browser-alerts");
  const form = document.getElementById("browser-on");
  const button = form.querySelector("button");
  const refused = document.getElementById("browser-refused");
  if (!("serviceWorker" in navigator && "PushManager" in window && "Notification" in window)) return;
  document.getElementById("browser-cannot").hidden = true;
  form.hidden = false;

  function bytes(text) {
    const padded = text.replace(/-/g, "+").replace(/_/g, "/") + "=".repeat((4 - (text.length % 4)) % 4);
    return Uint8Array.from(atob(padded), (c) => c.charCodeAt(0));
  }

  function text(buffer) {
    return btoa(String.fromCharCode(...new Uint8Array(buffer))).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }

  // A subscription is bound to one key; after the server's key changed it is of no use.
  async function subscribed(manager) {
    const known = await manager.getSubscription();
    if (known && text(known.options.applicationServerKey || new ArrayBuffer(0)) === box.dataset.key) return known;
    if (known) await known.unsubscribe();
    return manager.subscribe({ userVisibleOnly: true, applicationServerKey: bytes(box.dataset.key) });
  }

  button.addEventListener("click", async () => {
    button.disabled = true;
    refused.hidden = true;
    try {
      if ((await Notification.requestPermission()) !== "granted") throw new Error("not allowed");
      const worker = await navigator.serviceWorker.register(box.dataset.worker);
      const subscription = await subscribed(worker.pushManager);
      form.elements.endpoint.value = subscription.endpoint;
      form.elements.p256dh.value = text(subscription.getKey("p256dh"));
      form.elements.auth.value = text(subscription.getKey("auth"));
      form.submit();
    } catch (error) {
      console.debug("no subscription", error);
      refused.hidden = false;
      button.disabled = false;
    }
  });
})();
