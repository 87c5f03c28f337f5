// Before the first paint: a page whose colours follow the device takes the device's. Without script it is dark.
(() => {
  "use strict";

  const root = document.documentElement;
  if (root.dataset.theme !== "auto") return;
  const isLight = matchMedia("(prefers-color-scheme: light)");
  const follow = () => { root.dataset.bsTheme = isLight.matches ? "light" : "dark"; };
  isLight.addEventListener("change", follow);
  follow();
})();
