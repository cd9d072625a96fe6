// Gatehouse's own script: comfort only. Every page works without it.
"use strict";
(() => {
  const root = document.documentElement;
  const dark = matchMedia("(prefers-color-scheme: dark)");

  // The theme is set before the first paint, from the cookie of an earlier choice.
  const chosen = document.cookie.match(/(?:^|; )theme=(light|dark)/);
  if (chosen) root.dataset.theme = chosen[1];
  root.classList.add("js");

  function switchTheme() {
    const now = root.dataset.theme || (dark.matches ? "dark" : "light");
    root.dataset.theme = now === "dark" ? "light" : "dark";
    document.cookie = `theme=${root.dataset.theme}; path=/; max-age=31536000; samesite=lax`;
  }

  function toast(text) {
    document.querySelectorAll(".toast").forEach((old) => old.remove());
    const note = document.createElement("div");
    note.className = "toast";
    note.setAttribute("role", "status");
    note.textContent = text;
    document.body.append(note);
    setTimeout(() => note.remove(), 2600);
  }

  async function copy(button) {
    try {
      await navigator.clipboard.writeText(button.dataset.copy);
      toast("Copied");
    } catch {
      toast("The browser did not allow copying. Select the text instead.");
    }
  }

  // Times are written in UTC by the server; on hover they also show the reader's own clock.
  function localTimes(within) {
    for (const time of within.querySelectorAll("time[datetime]:not([data-local])")) {
      const at = new Date(time.dateTime);
      if (Number.isNaN(at.valueOf())) continue;
      time.dataset.local = "";
      const here = at.toLocaleString(undefined, { dateStyle: "medium", timeStyle: "long" });
      time.title = `${time.title ? `${time.title}\n` : ""}${here}`;
    }
  }

  function reveal(within) {
    within.querySelectorAll("[data-needs-script]").forEach((el) => { el.hidden = false; });
    localTimes(within);
  }

  // A live part: <div id=… data-live="events address" data-live-part="address of its HTML">.
  // Each event asks for the part again, at most three times a second; focus and scroll stay.
  function live(part) {
    const source = new EventSource(part.dataset.live);
    let asked = false, busy = false;
    async function refresh() {
      if (busy) { asked = true; return; }
      busy = true;
      try {
        const answer = await fetch(part.dataset.livePart, { headers: { "HX-Request": "true" }, credentials: "same-origin" });
        if (answer.ok) swap(part, await answer.text());
        part.removeAttribute("data-live-lost");
      } catch {
        part.setAttribute("data-live-lost", "");
      }
      setTimeout(() => { busy = false; if (asked) { asked = false; refresh(); } }, 330);
    }
    source.onmessage = refresh;
    source.onerror = () => { if (source.readyState !== EventSource.CLOSED) part.setAttribute("data-live-lost", ""); };
    source.onopen = () => { if (part.hasAttribute("data-live-lost")) refresh(); };
    source.addEventListener("change", refresh);
    source.addEventListener("end", () => { source.close(); refresh(); });
    addEventListener("pagehide", () => source.close());
  }

  // A followed part: <div id=… data-follow="address of its HTML" data-version=…>. While somebody looks at the page the
  // part is asked for every two seconds; it comes when it reads otherwise, and for the last time without a version.
  function follow(part) {
    let version = part.dataset.version;
    async function ask() {
      try {
        if (!document.hidden) await refresh();
        part.removeAttribute("data-live-lost");
      } catch {
        part.setAttribute("data-live-lost", "");
      }
      if (version) setTimeout(ask, 2000);
    }
    async function refresh() {
      const headers = { "HX-Request": "true", "If-None-Match": version };
      const answer = await fetch(part.dataset.follow, { headers, credentials: "same-origin" });
      if (answer.status === 304 || answer.status >= 500) return;
      if (!answer.ok || swap(part, await answer.text())) version = answer.ok && answer.headers.get("etag");
    }
    setTimeout(ask, 2000);
  }

  // Puts new HTML into a part, unless somebody is filling a form in it; says whether it did.
  function swap(part, html) {
    const focus = part.contains(document.activeElement) ? document.activeElement : null;
    const typing = focus && focus.matches("input, textarea, select");
    if (typing) return false;
    const key = focus && (focus.id ? `#${CSS.escape(focus.id)}` : focus.getAttribute("href") && `[href="${CSS.escape(focus.getAttribute("href"))}"]`);
    const open = [...part.querySelectorAll("details[id][open]")].map((el) => el.id);
    const scrolled = [...part.querySelectorAll("[data-keep-scroll]")].map((el) => [el.id, el.scrollLeft, el.scrollTop]);
    part.innerHTML = html;
    open.forEach((id) => { const el = document.getElementById(id); if (el) el.open = true; });
    scrolled.forEach(([id, left, top]) => { const el = document.getElementById(id); if (el) el.scrollTo(left, top); });
    if (key) part.querySelector(key)?.focus({ preventScroll: true });
    if (window.htmx) htmx.process(part);
    reveal(part);
    announce(part.querySelector("[data-says]")?.dataset.says);
    return true;
  }

  // Tells those who listen to the page what changed on it; the same thing once.
  function announce(text) {
    const announcer = document.getElementById("announcer");
    if (text && announcer && announcer.textContent !== text) announcer.textContent = text;
  }

  document.addEventListener("keydown", (event) => {
    const writing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key === "/" && !writing && !event.ctrlKey && !event.metaKey && !event.altKey) {
      const search = document.querySelector(".search input");
      if (search) { event.preventDefault(); search.focus(); search.select(); }
    }
    if (event.key === "Escape") document.querySelectorAll(".menu[open]").forEach((menu) => {
      menu.open = false;
      menu.querySelector("summary").focus();
    });
  });

  document.addEventListener("click", (event) => {
    const target = event.target;
    if (target.closest("[data-theme-switch]")) switchTheme();
    const copier = target.closest("[data-copy]");
    if (copier) copy(copier);
    if (target.closest("[data-print]")) print();
    document.querySelectorAll(".menu[open]").forEach((menu) => { if (!menu.contains(target)) menu.open = false; });
    const row = target.closest("tr[data-href]");
    if (row && !target.closest("a, button, input, label, summary") && !String(getSelection())) location.assign(row.dataset.href);
  });

  // A form is sent once: the second click of a double click finds the button busy.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.method === "get") return;
    if (form.dataset.sent) { event.preventDefault(); return; }
    form.dataset.sent = "yes";
    setTimeout(() => { delete form.dataset.sent; }, 4000);
  });

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-submit-on-change]");
    if (form) form.requestSubmit();
  });

  // A request that is given up because its page is left is no error, and nothing to report.
  document.addEventListener("htmx:beforeSend", (event) => { event.detail.xhr.onabort = null; });
  document.addEventListener("htmx:sendError", () => toast("Gatehouse does not answer. What you typed is still here; try again."));
  document.addEventListener("htmx:afterSwap", (event) => reveal(event.target));
  document.addEventListener("DOMContentLoaded", () => {
    reveal(document);
    document.querySelectorAll("[data-live]").forEach(live);
    document.querySelectorAll("[data-follow]").forEach(follow);
  });
})();
