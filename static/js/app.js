// What pages do beyond HTML and htmx. Every hook is a data-* attribute; without this script the pages still work.
const $ = (selector, root = document) => root.querySelector(selector);
const dialog = $("#dialog");
let [opener, requests, leaving] = [null, 0, 0];

// --- toasts: {"toast": {"text": "…", "tone": "ok|info|warn|danger"}} in HX-Trigger, errors, copies
const TONES = { ok: "circle-check", info: "info", warn: "triangle-alert", danger: "circle-alert" };

const make = (tag, properties) => Object.assign(document.createElement(tag), properties);

function icon(name) {
  const svg = $(".icon").cloneNode(true);
  svg.setAttribute("class", "icon");
  svg.firstElementChild.setAttribute("href", svg.firstElementChild.getAttribute("href").replace(/#.*/, `#${name}`));
  return svg;
}

function toast(text, tone = "ok") {
  const box = make("div", { className: `toast ${tone}` });
  const words = make("span", { textContent: text });
  const button = make("button", { type: "button", className: "icon-button small", ariaLabel: "Dismiss" });
  button.dataset.dismiss = "";
  button.append(icon("x"));
  box.append(icon(TONES[tone] ?? "info"), words, button);
  $("#toasts").append(box);
  fade(box);
}

function fade(box) {
  if (!box.matches(".ok, .info")) return;
  const leave = () => (box.matches(":hover, :focus-within") ? setTimeout(leave, 2000) : box.remove());
  setTimeout(leave, 7000);
}

function announce(text) {
  $("#toasts").append(make("div", { className: "visually-hidden", textContent: text }));
  setTimeout(() => $("#toasts > .visually-hidden")?.remove(), 2000);
}

// --- copy
async function copy(button) {
  const from = button.dataset.copyFrom;
  try {
    await navigator.clipboard.writeText(from ? document.getElementById(from).textContent : button.dataset.copy);
  } catch {
    return toast("The browser did not allow copying. Select the text and copy it by hand.", "warn");
  }
  if (button.classList.contains("copied")) return;
  const use = $("use", button);
  const before = use.getAttribute("href");
  button.classList.add("copied");
  use.setAttribute("href", before.replace(/#.*/, "#check"));
  announce("Copied");
  setTimeout(() => (button.classList.remove("copied"), use.setAttribute("href", before)), 1500);
}

// --- theme: system, light or dark, kept in this browser
function showTheme() {
  const chosen = document.documentElement.dataset.theme ?? "system";
  for (const button of document.querySelectorAll("[data-theme-set]")) button.ariaPressed = button.dataset.themeSet === chosen;
}

function setTheme(name) {
  if (name === "system") delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = name;
  try { localStorage.setItem("theme", name); } catch { /* not kept */ }
  showTheme();
}

// --- times: "3 minutes ago" within two months, the date itself beyond; the full time stays in title
const relative = new Intl.RelativeTimeFormat("en", { numeric: "auto" });
const SPANS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function tell(time) {
  const seconds = (Date.parse(time.dateTime) - Date.now()) / 1000;
  if (Number.isNaN(seconds) || Math.abs(seconds) > 60 * 86400) return;
  const [unit, size] = SPANS.find(([, length]) => Math.abs(seconds) >= length) ?? ["second", 1];
  time.textContent = Math.abs(seconds) < 10 ? "just now" : relative.format(Math.trunc(seconds / size), unit);
}

const tellAll = (root) => root.querySelectorAll("time[data-relative]").forEach(tell);

// --- whatever was put into the page: times, confirmations, focus on what was refused
function prepare(root) {
  tellAll(root);
  for (const box of root.querySelectorAll("[data-confirm-name]")) {
    const input = $("input[name$=confirm]", box);
    const button = $("[type=submit]", box.closest("form"));
    const judge = () => (button.disabled = input.value.trim() !== box.dataset.confirmName.trim());
    input.addEventListener("input", judge);
    judge();
  }
  if (root !== document.body) ($("[aria-invalid=true]", root) ?? $("[data-error-summary]", root))?.focus();
}

document.addEventListener("click", (event) => {
  const at = (selector) => event.target.closest?.(selector);
  for (const menu of document.querySelectorAll("details.menu[open]")) if (!menu.contains(event.target) || at(".menu-item")) menu.open = false;
  if (at("[data-copy], [data-copy-from]")) copy(at("[data-copy], [data-copy-from]"));
  else if (at("[data-dismiss]")) at(".toast").remove();
  else if (at("[data-theme-set]")) setTheme(at("[data-theme-set]").dataset.themeSet);
  else if (at("[data-dialog]")) opener = at("details.menu")?.firstElementChild ?? at("[data-dialog]");
  else if (at("[data-dialog-close]") && dialog?.open) { event.preventDefault(); dialog.close(); }
});
// A link opened in a new tab is the browser's business, not htmx's.
document.addEventListener("click", (event) => {
  if ((event.ctrlKey || event.metaKey || event.shiftKey) && event.target.closest?.("a[hx-get]")) event.stopPropagation();
}, true);
document.addEventListener("keydown", (event) => {
  const menu = event.key === "Escape" && document.querySelector("details.menu[open]");
  if (menu) { menu.open = false; menu.firstElementChild.focus(); }
  const field = (event.ctrlKey || event.metaKey) && $(`[data-hotkey="${CSS.escape(event.key)}"]`);
  if (field) { event.preventDefault(); field.select(); }
});
dialog?.addEventListener("close", () => {
  $("#dialog-body").replaceChildren();
  $("#main").prepend($("#toasts"));
  opener?.focus();
});

// --- htmx
const on = (name, handler) => document.addEventListener(name, handler);
const busy = (step) => ({ detail: { elt, target } }) => {
  if (elt.closest("[data-quiet]")) return;
  requests = Math.max(0, requests + step);
  document.documentElement.toggleAttribute("data-loading", requests > 0);
  target.ariaBusy = step > 0 ? "true" : null;
};
on("htmx:load", (event) => prepare(event.detail.elt));
on("htmx:beforeRequest", (event) => (Date.now() < leaving || (document.hidden && event.detail.elt.matches("[data-live]")) ? event.preventDefault() : busy(1)(event)));
on("htmx:afterRequest", (event) => { if (event.detail.xhr.getResponseHeader("HX-Redirect")) leaving = Date.now() + 3000; busy(-1)(event); });
on("htmx:afterSwap", (event) => {
  const { target } = event.detail;
  if (target.id === "dialog-body" && !dialog.open) { dialog.showModal(); dialog.append($("#toasts")); }
  else if (target.id && document.activeElement === document.body) {
    const now = Object.assign(document.getElementById(target.id) ?? {}, { tabIndex: -1 });
    now.focus?.({ preventScroll: true });
  }
});
on("htmx:responseError", ({ detail: { xhr } }) => {
  const page = new DOMParser().parseFromString(xhr.responseText, "text/html");
  toast($("[data-error]", page)?.textContent.trim() || `The server answered ${xhr.status}. Load the page again.`, "danger");
});
on("htmx:sendError", ({ detail: { elt } }) => elt.matches("[data-live]") || toast("The server can't be reached. Nothing was changed.", "danger"));
on("closeDialog", () => dialog?.close());
on("toast", ({ detail }) => toast(detail.text ?? detail.value, detail.tone));

showTheme();
document.querySelectorAll(".toast").forEach(fade);
setInterval(() => tellAll(document), 30000);
