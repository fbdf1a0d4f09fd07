// The demo's page: asks for the state a few times a second and shows it. No library, nothing from elsewhere.
"use strict";

const $ = (id) => document.getElementById(id);
const seen = new Set();
const read = new Set();
const rows = new Map();
let state = null;
let last = 0;
let whose = "mine";
let open = null;
let ladder = null;

const day = new Intl.DateTimeFormat("en-GB", { weekday: "short", day: "numeric", month: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });
const short = new Intl.DateTimeFormat("en-GB", { weekday: "short", hour: "2-digit", minute: "2-digit", timeZone: "UTC" });

function make(tag, text, name) {
  const element = document.createElement(tag);
  if (text) element.textContent = text;
  if (name) element.className = name;
  return element;
}

function colour(name) {
  let number = 0;
  for (const letter of name) number = (number * 31 + letter.codePointAt(0)) % 360;
  return `hsl(${number} 45% 45%)`;
}

async function look() {
  try {
    const answer = await fetch(`/demo/state.json?after=${last}`);
    if (answer.ok) show(await answer.json());
  } catch {
    $("pace").textContent = "the demo has stopped";
  }
  setTimeout(look, 450);
}

function show(fresh) {
  state = fresh;
  last = Math.max(last, fresh.last);
  $("clock").textContent = day.format(new Date(fresh.now));
  $("clock").dateTime = fresh.now;
  $("pace").textContent = fresh.speed ? `${fresh.people} people, ${fresh.speed / 3600} h a second` : "time stands still";
  for (const button of document.querySelectorAll("[data-speed]")) {
    button.setAttribute("aria-pressed", String(Number(button.dataset.speed) === fresh.speed));
  }
  for (const [name, value] of Object.entries(fresh.totals)) {
    document.querySelector(`[data-total="${name}"]`).textContent = value;
  }
  showMails();
  showLadders();
  showLog(fresh.log);
}

// A row stays the element it is: what is replaced loses the focus of who reads with keys.
function showMails() {
  if (!state) return; // a click came before the first answer
  const mails = state.mails.filter((mail) => whose === "all" || mail.mine);
  const wanted = new Set(mails.map((mail) => mail.id));
  $("empty").hidden = mails.length > 0;
  for (const [id, row] of rows) {
    if (wanted.has(id)) continue;
    row.remove();
    rows.delete(id);
  }
  let place = $("mails").firstElementChild;
  for (const mail of mails) {
    const row = rows.get(mail.id) ?? mailRow(mail);
    rows.set(mail.id, row);
    row.classList.toggle("open", mail.id === open);
    row.classList.toggle("unread", mail.mine && !read.has(mail.id));
    if (row === place) place = place.nextElementSibling;
    else $("mails").insertBefore(row, place);
  }
}

function mailRow(mail) {
  const row = make("li");
  const button = make("button");
  button.type = "button";
  const face = make("span", mail.who[0], "face");
  face.setAttribute("aria-hidden", "true");
  face.style.background = colour(mail.who);
  const time = make("time", short.format(new Date(mail.at)));
  button.append(face, make("b", mail.who), time, make("span", mail.subject, "subject"), make("span", mail.kind, "kind"));
  button.addEventListener("click", () => openMail(mail));
  row.append(button);
  row.classList.toggle("fresh", !seen.has(mail.id));
  seen.add(mail.id);
  return row;
}

async function openMail(mail) {
  open = mail.id;
  read.add(mail.id);
  showLadder(mail.sequence);
  $("welcome").hidden = true;
  $("asked").hidden = true;
  $("head").hidden = false;
  $("subject").textContent = mail.subject;
  $("from").textContent = `to ${mail.who} <${mail.email}>`;
  $("html").src = `/demo/mail/${mail.id}`;
  showMails();
  if (matchMedia("(max-width: 700px)").matches) $("head").scrollIntoView();
  const answer = await fetch(`/demo/mail/${mail.id}/source.json`);
  if (!answer.ok || open !== mail.id) return;
  const source = await answer.json();
  $("because").textContent = source.because ? `Why now: ${source.because}` : "";
  $("text").textContent = source.text;
  $("headers").replaceChildren(...source.headers.flatMap(([name, value]) => [make("dt", name), make("dd", value)]));
  showPart("html");
}

function showPart(part) {
  for (const name of ["html", "text", "headers"]) $(name).hidden = name !== part;
  for (const tab of document.querySelectorAll("[data-part]")) tab.setAttribute("aria-selected", String(tab.dataset.part === part));
}

function showLadder(name) {
  ladder = name;
  for (const section of document.querySelectorAll("[data-ladder]")) section.hidden = section.dataset.ladder !== name;
  for (const tab of document.querySelectorAll("[data-tab]")) tab.setAttribute("aria-selected", String(tab.dataset.tab === name));
}

function showLadders() {
  if (!state) return;
  if (!ladder) {
    const mine = Object.keys(state.you)[0];
    const [busiest] = mine ? [[mine]] : Object.entries(state.ladders).sort((a, b) => total(b[1].asked) - total(a[1].asked));
    if (busiest) showLadder(busiest[0]);
  }
  for (const section of document.querySelectorAll("[data-ladder]")) {
    const numbers = state.ladders[section.dataset.ladder];
    if (!numbers) continue;
    const you = state.you[section.dataset.ladder];
    for (const count of section.querySelectorAll("[data-count]")) {
      const name = count.dataset.count;
      const value = numbers.here[name] ?? (name === "goal" ? numbers.ended.goal : 0) ?? 0;
      if (count.textContent === String(value || "")) continue;
      count.textContent = value || "";
      const badge = count.closest(".badge");
      badge.classList.toggle("none", !value);
      badge.classList.remove("bump");
      requestAnimationFrame(() => badge.classList.add("bump"));
    }
    for (const step of section.querySelectorAll("[data-step]")) {
      step.classList.toggle("here", Boolean(you) && !you.ended && you.step === step.dataset.step);
      step.classList.toggle("walked", Boolean(you) && you.asked.includes(step.dataset.step));
    }
  }
}

const total = (numbers) => Object.values(numbers).reduce((sum, one) => sum + one, 0);

function showLog(entries) {
  for (const entry of entries) {
    const at = short.format(new Date(entry.at));
    const said = [entry.who, entry.words, at].join();
    if (said === $("log").dataset.said) continue; // a scanner clicks every link of a mail
    $("log").dataset.said = said;
    const row = make("li", "", entry.tone);
    row.classList.toggle("mine", entry.mine);
    const words = entry.words.startsWith("’") ? entry.who + entry.words : `${entry.who} ${entry.words}`;
    row.append(make("span", words), make("time", at));
    $("log").prepend(row);
  }
  while ($("log").children.length > 24) $("log").lastChild.remove();
}

for (const button of document.querySelectorAll("[data-speed]")) {
  button.addEventListener("click", () => fetch(`/demo/speed?per_second=${button.dataset.speed}`, { method: "POST" }));
}
$("skip").addEventListener("click", () => fetch("/demo/speed?skip=24", { method: "POST" }));
for (const button of document.querySelectorAll("[data-whose]")) {
  button.addEventListener("click", () => {
    whose = button.dataset.whose;
    for (const other of document.querySelectorAll("[data-whose]")) other.setAttribute("aria-pressed", String(other === button));
    showMails();
  });
}
for (const tab of document.querySelectorAll("[data-tab]")) tab.addEventListener("click", () => showLadder(tab.dataset.tab));
for (const tab of document.querySelectorAll("[data-part]")) tab.addEventListener("click", () => showPart(tab.dataset.part));
$("close").addEventListener("click", () => { $("asked").hidden = true; });
$("ask").addEventListener("load", () => {
  if ($("ask").contentWindow.location.href !== "about:blank") $("asked").hidden = false;
});
$("asked").hidden = true;
look();
