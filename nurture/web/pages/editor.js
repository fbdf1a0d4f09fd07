// The editor: a textarea with numbers, faults as one types, and what can stand at the cursor.
//
// Not CodeMirror 6, which does this and more: it comes as modules for a bundler, and this project has no build step and
// keeps no copy of other people's code. The textarea is small, has the browser's own undo and spelling of keys, and works
// with a phone's keyboard and a screen reader. What is missing is colour.
"use strict";

const area = $("editing");
const PAUSE = 180; // milliseconds without a key before the server is asked
let asked = 0;
let marks = new Map();
let choices = [];
let chosen = 0;
let offered = 0; // where the cursor was then
let numbered = "";
let timer = 0;
let base = area.dataset.base;
let saved = area.value;

function number() {
  const lines = area.value.split("\n").length;
  const wanted = JSON.stringify([lines, ...marks]);
  if (wanted === numbered) return;
  numbered = wanted;
  $("numbers").replaceChildren(...Array.from({ length: lines }, (_, index) => {
    const mark = marks.get(index + 1);
    if (!mark) return document.createTextNode(`${index + 1}\n`);
    const line = document.createElement("b");
    line.textContent = index + 1;
    line.className = mark.severity;
    line.title = mark.message;
    return line;
  }));
  $("numbers").scrollTop = area.scrollTop;
}

async function post(address, told) {
  const options = { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(told) };
  try {
    const answer = await fetch(address, options);
    return { ok: answer.ok, said: await answer.json() };
  } catch {
    return { ok: false, said: { error: "the preview has stopped; what you typed is still here" } };
  }
}

async function ask(offering = false, forced = false) {
  const mine = ++asked;
  const at = area.selectionStart;
  const { ok, said } = await post(`/look/${area.dataset.path}`, { text: area.value, at });
  if (mine !== asked || !ok) return;
  const fresh = new DOMParser().parseFromString(said.html, "text/html").getElementById("looked");
  same($("looked"), fresh);
  marks = new Map(said.marks.map((mark) => [mark.line, mark]));
  number();
  const line = area.value.slice(0, at).split("\n").at(-1);
  if (offering && at === area.selectionStart && (forced || line.trim())) offer(said.words);
}

function typed() {
  number();
  if ($("save")) $("saved").textContent = area.value === saved ? "" : "not saved";
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE, true);
}

// --- what can stand here

function offer(words) {
  choices = document.activeElement === area && area.selectionStart === area.selectionEnd ? words : [];
  chosen = 0;
  offered = area.selectionStart;
  const list = $("completions");
  list.hidden = choices.length === 0;
  area.removeAttribute("aria-activedescendant");
  if (list.hidden) return;
  list.replaceChildren(...choices.map((choice, index) => {
    const row = document.createElement("li");
    row.id = `completion-${index}`;
    row.setAttribute("role", "option");
    row.append(choice.word);
    const about = document.createElement("span");
    about.textContent = choice.about;
    row.append(about);
    row.addEventListener("mousedown", (event) => { event.preventDefault(); accept(index); });
    return row;
  }));
  move(0);
  beside(list);
}

// The list stands below the cursor, or above it where there is no room, and never beside the screen.
function beside(list) {
  const before = area.value.slice(0, area.selectionStart).split("\n");
  const style = getComputedStyle(area);
  const height = Number.parseFloat(style.lineHeight);
  const above = Number.parseFloat(style.paddingTop) + (before.length - 1) * height - area.scrollTop;
  const right = area.offsetLeft + Number.parseFloat(style.paddingLeft) + (before.at(-1).length - choices[0].typed) * measure(style);
  const room = above + height + list.offsetHeight <= area.clientHeight || above < list.offsetHeight;
  list.style.top = `${room ? above + height + 2 : above - list.offsetHeight - 2}px`;
  list.style.left = `${Math.max(4, Math.min(right - area.scrollLeft, area.offsetLeft + area.clientWidth - list.offsetWidth - 4))}px`;
}

function measure(style) {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.font = `${style.fontSize} ${style.fontFamily}`;
  return canvas.measureText("m").width;
}

// What was typed since the list came belongs to the word as well.
function begun(choice) {
  const start = offered - choice.typed;
  const word = area.value.slice(start, area.selectionStart);
  return area.selectionStart >= offered && choice.word.toLowerCase().startsWith(word.toLowerCase()) ? start : null;
}

function accept(index) {
  const choice = choices[index];
  const start = begun(choice);
  offer([]);
  if (start === null) return;
  area.setSelectionRange(start, area.selectionStart);
  document.execCommand("insertText", false, choice.word + choice.then); // unlike setRangeText, it can be undone
}

function move(by) {
  chosen = (chosen + by + choices.length) % choices.length;
  area.setAttribute("aria-activedescendant", `completion-${chosen}`);
  for (const [index, row] of [...$("completions").children].entries()) {
    row.setAttribute("aria-selected", String(index === chosen));
    if (index === chosen) row.scrollIntoView({ block: "nearest" });
  }
}

const ELSEWHERE = new Set(["ArrowLeft", "ArrowRight", "Home", "End", "PageUp", "PageDown", "Escape"]);

area.addEventListener("keydown", (event) => {
  if (event.isComposing) return; // an accent or a sign of several keys is not done yet
  const plain = !event.ctrlKey && !event.metaKey && !event.altKey && !event.shiftKey;
  if (choices.length && ELSEWHERE.has(event.key)) offer([]);
  else if (choices.length && plain && (event.key === "ArrowDown" || event.key === "ArrowUp")) {
    event.preventDefault();
    move(event.key === "ArrowDown" ? 1 : -1);
    return;
  } else if (choices.length && plain && (event.key === "Tab" || (event.key === "Enter" && choices[chosen].typed > 0))) {
    event.preventDefault();
    accept(chosen);
    return;
  }
  if (event.key === " " && event.ctrlKey) {
    event.preventDefault();
    ask(true, true);
  } else if (event.key === "Enter" && plain) {
    event.preventDefault();
    const line = area.value.slice(0, area.selectionStart).split("\n").at(-1);
    const deeper = /:\s*$/.test(line) && area.dataset.path.endsWith(".yaml") ? "  " : "";
    document.execCommand("insertText", false, `\n${line.match(/^ */)[0]}${deeper}`);
  } else if ((event.ctrlKey || event.metaKey) && event.key === "s") {
    event.preventDefault();
    save();
  }
});
area.addEventListener("mousedown", () => offer([]));
area.addEventListener("input", typed);
area.addEventListener("blur", () => offer([]));
area.addEventListener("scroll", () => { $("numbers").scrollTop = area.scrollTop; offer([]); });

// --- saving

async function save() {
  if (!$("save")) return;
  const text = area.value;
  const { ok, said } = await post(`/save/${area.dataset.path}`, { text, base });
  if (ok) {
    base = said.base;
    saved = text;
  }
  $("saved").textContent = !ok ? said.error : area.value === saved ? "saved" : "not saved";
}
$("save")?.addEventListener("click", save);
addEventListener("beforeunload", (event) => { if (area.value !== saved) event.preventDefault(); });

// Someone else saved: take their text where nothing of ours would be lost, and look again in any case.
document.addEventListener("taken", async () => {
  const answer = await fetch(location.pathname);
  const theirs = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById("editing");
  if (theirs && area.value === saved && theirs.dataset.base !== base) {
    area.value = theirs.value;
    saved = area.value;
    base = theirs.dataset.base;
  } else if (theirs && theirs.dataset.base !== base) {
    $("saved").textContent = "changed elsewhere as well; what you typed is still here";
  }
  number();
  ask();
});

// A link like #12:5 leads to that line and column.
function find() {
  const place = location.hash.match(/^#(\d+):(\d+)$/);
  if (!place) return;
  const lines = area.value.split("\n");
  const start = lines.slice(0, place[1] - 1).reduce((sum, line) => sum + line.length + 1, 0) + Number(place[2]) - 1;
  area.focus();
  area.setSelectionRange(start, start);
  area.scrollTop = Math.max(0, (place[1] - 8) * Number.parseFloat(getComputedStyle(area).lineHeight));
}
addEventListener("hashchange", find);

number();
find();
ask();
