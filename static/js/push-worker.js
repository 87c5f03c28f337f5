// Shows alerts while no page of the desk is open, and opens the page behind one when it is clicked.
"use strict";

function read(data) {
  try {
    return data ? data.json() : {};
  } catch {
    return {}; // not ours; a push must show something all the same
  }
}

self.addEventListener("push", (event) => {
  const told = read(event.data);
  const shown = { body: told.body || "", tag: told.tag || "balcao", data: { url: told.url || "/" } };
  event.waitUntil(self.registration.showNotification(told.title || "Balcão", shown));
});

self.addEventListener("notificationclick", (event) => {
  event.notification.close();
  const url = new URL(event.notification.data.url, self.location.origin);
  if (url.origin !== self.location.origin) return;
  event.waitUntil(
    self.clients.matchAll({ type: "window", includeUncontrolled: true }).then((pages) => {
      const open = pages.find((page) => page.url === url.href);
      return open ? open.focus() : self.clients.openWindow(url.href);
    }),
  );
});
