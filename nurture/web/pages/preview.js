// The preview's page: hears of saves and takes in what changed, without losing scroll, tab or typed text. No library.
"use strict";

const $ = (id) => document.getElementById(id);

// --- taking in a new version of this page

async function take(address = location.href) {
  const answer = await fetch(address, { headers: { Accept: "text/html" } });
  const fresh = new DOMParser().parseFromString(await answer.text(), "text/html");
  document.title = fresh.title;
  document.body.className = fresh.body.className;
  document.body.dataset.number = fresh.body.dataset.number;
  morph(document.body, fresh.body);
}

// Make one element like another, touching only what differs: what is not touched keeps its scroll, focus and text.
function morph(old, fresh) {
  const known = new Map([...old.children].filter((child) => child.id).map((child) => [child.id, child]));
  let place = old.firstChild;
  for (const wanted of [...fresh.childNodes]) {
    let found = wanted.id && known.get(wanted.id);
    if (!found && place && place.nodeName === wanted.nodeName && !place.id === !wanted.id) found = place;
    if (!found || found.nodeName !== wanted.nodeName) {
      old.insertBefore(document.importNode(wanted, true), place);
      continue;
    }
    if (found !== place) old.insertBefore(found, place);
    if (found.nodeType === Node.ELEMENT_NODE) same(found, wanted);
    else if (found.nodeValue !== wanted.nodeValue) found.nodeValue = wanted.nodeValue;
    place = found.nextSibling;
  }
  while (place) {
    const next = place.nextSibling;
    place.remove();
    place = next;
  }
}

function same(old, fresh) {
  if (old.hasAttribute("data-keep") || old.id === "saves" || touched(old)) return;
  if (old.nodeName === "IFRAME") {
    for (const name of ["data-light", "data-dark"]) if (fresh.hasAttribute(name)) old.setAttribute(name, fresh.getAttribute(name));
    show(old, fresh.getAttribute("src"));
    return;
  }
  if (old.isEqualNode(fresh)) return;
  const opened = old.nodeName === "DETAILS" && old.open;
  for (const { name } of [...old.attributes]) if (!fresh.hasAttribute(name)) old.removeAttribute(name);
  for (const { name, value } of [...fresh.attributes]) if (old.getAttribute(name) !== value) old.setAttribute(name, value);
  if (opened) old.open = true;
  morph(old, fresh);
}

// A control whose value is not the one it came with, or that is being used, is the reader's.
function touched(control) {
  if (control.nodeName === "SELECT") {
    const came = [...control.options].find((option) => option.defaultSelected) ?? control.options[0];
    return control === document.activeElement || control.value !== (came?.value ?? "");
  }
  if (control.nodeName !== "INPUT" && control.nodeName !== "TEXTAREA") return false;
  return control === document.activeElement || control.value !== control.defaultValue;
}

// Another version of a mail in its frame, at the place it was scrolled to, and not in the browser's history.
function show(frame, source) {
  if (frame.getAttribute("src") === source || frame.dataset.shown === source) return;
  const inner = frame.contentWindow;
  const [left, top] = [inner.scrollX, inner.scrollY];
  const samePage = (frame.dataset.shown ?? frame.getAttribute("src")).split("?")[0] === source.split("?")[0];
  frame.dataset.shown = source;
  frame.addEventListener("load", () => samePage && frame.contentWindow.scrollTo(left, top), { once: true });
  inner.location.replace(source);
}

// --- hearing of saves

if (document.body.dataset.saves) {
  const saves = new EventSource(document.body.dataset.saves);
  saves.addEventListener("saved", async (event) => {
    $("saves").classList.add("live");
    if (event.data === document.body.dataset.number) {
      say("watching the files");
      return;
    }
    await take();
    document.body.dataset.number = event.data;
    say(`saved ${new Date().toLocaleTimeString()}`);
    document.dispatchEvent(new Event("taken"));
  });
  saves.addEventListener("error", () => {
    $("saves").classList.remove("live");
    say("the preview has stopped");
  });
}

function say(words) {
  $("saves").textContent = words;
  $("saves").classList.remove("fresh");
  requestAnimationFrame(() => $("saves").classList.add("fresh"));
}

// --- going from page to page without starting over

document.addEventListener("click", (event) => {
  if (event.button || event.metaKey || event.ctrlKey || event.shiftKey) return;
  const link = event.target.closest("a");
  if (link?.dataset.viewOf) {
    event.preventDefault();
    look(link);
  } else if (link?.hasAttribute("data-go") && document.body.dataset.saves) {
    event.preventDefault();
    go(link.href);
  } else if (document.body.classList.contains("see")) {
    const step = event.target.closest("[data-step]")?.dataset.step;
    document.querySelector(`#steps a[data-step="${CSS.escape(step ?? "")}"]`)?.click();
  }
  const copies = event.target.closest("[data-copies]");
  if (copies) copy(copies);
});

async function go(address) {
  const view = $("mail")?.dataset.view;
  const wanted = new URL(address);
  if (view && view !== "desktop" && document.body.classList.contains("see")) wanted.searchParams.set("view", view);
  history.pushState(null, "", wanted);
  await take();
}

addEventListener("popstate", () => document.body.dataset.saves && take());

function look(tab) {
  const view = tab.dataset.viewOf;
  for (const one of document.querySelectorAll("[data-view-of]")) one.setAttribute("aria-selected", String(one === tab));
  $("mail").dataset.view = view;
  const frame = $("html");
  if (frame) show(frame, view === "dark" ? frame.dataset.dark : frame.dataset.light);
  if (document.body.dataset.saves) history.replaceState(null, "", tab.href);
}

async function copy(button) {
  const text = $(button.dataset.copies).textContent;
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const range = document.createRange();
    range.selectNodeContents($(button.dataset.copies));
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    document.execCommand("copy");
  }
  button.textContent = "Copied";
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

for (const form of document.querySelectorAll("form[data-auto]")) {
  form.addEventListener("change", () => go(`${form.getAttribute("action") ?? ""}?${new URLSearchParams(new FormData(form))}`));
}

document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") for (const check of document.querySelectorAll(".check[open]")) check.open = false;
});
