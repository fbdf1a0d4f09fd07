// The editor: a textarea with numbers, faults as one types, and what can stand at the cursor. No library.
"use strict";

const area = $("editing");
const PAUSE = 180; // milliseconds without a key before the server is asked
let asked = 0;
let marks = new Map();
let choices = [];
let chosen = 0;
let timer = 0;
let base = area.dataset.base;
let saved = area.value;

function number() {
  const lines = area.value.split("\n").length;
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

async function ask(offering = false, forced = false) {
  const mine = ++asked;
  const answer = await fetch(`/look/${area.dataset.path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text: area.value, at: area.selectionStart }),
  });
  if (mine !== asked || !answer.ok) return;
  const said = await answer.json();
  const fresh = new DOMParser().parseFromString(said.html, "text/html").getElementById("looked");
  same($("looked"), fresh);
  marks = new Map(said.marks.map((mark) => [mark.line, mark]));
  number();
  const line = area.value.slice(0, area.selectionStart).split("\n").at(-1);
  if (offering && (forced || line.trim())) offer(said.words);
}

function typed() {
  number();
  $("saved").textContent = area.value === saved ? "" : "not saved";
  clearTimeout(timer);
  timer = setTimeout(ask, PAUSE, true);
}

// --- what can stand here

function offer(words) {
  choices = document.activeElement === area && area.selectionStart === area.selectionEnd ? words : [];
  chosen = 0;
  const list = $("completions");
  list.hidden = choices.length === 0;
  if (list.hidden) return;
  list.replaceChildren(...choices.map((choice, index) => {
    const row = document.createElement("li");
    row.setAttribute("role", "option");
    row.setAttribute("aria-selected", String(index === 0));
    row.append(choice.word);
    const about = document.createElement("span");
    about.textContent = choice.about;
    row.append(about);
    row.addEventListener("mousedown", (event) => { event.preventDefault(); accept(index); });
    return row;
  }));
  const before = area.value.slice(0, area.selectionStart).split("\n");
  const style = getComputedStyle(area);
  const width = measure(style);
  list.style.top = `${Number.parseFloat(style.paddingTop) + before.length * Number.parseFloat(style.lineHeight) - area.scrollTop + 2}px`;
  list.style.left = `${area.offsetLeft + Number.parseFloat(style.paddingLeft) + (before.at(-1).length - choices[0].typed) * width - area.scrollLeft}px`;
}

function measure(style) {
  const canvas = document.createElement("canvas").getContext("2d");
  canvas.font = `${style.fontSize} ${style.fontFamily}`;
  return canvas.measureText("m").width;
}

function accept(index) {
  const choice = choices[index];
  const at = area.selectionStart;
  area.setRangeText(choice.word + choice.then, at - choice.typed, at, "end");
  offer([]);
  typed();
}

function move(by) {
  chosen = (chosen + by + choices.length) % choices.length;
  for (const [index, row] of [...$("completions").children].entries()) {
    row.setAttribute("aria-selected", String(index === chosen));
    if (index === chosen) row.scrollIntoView({ block: "nearest" });
  }
}

area.addEventListener("keydown", (event) => {
  if (choices.length) {
    if (event.key === "ArrowDown" || event.key === "ArrowUp") {
      event.preventDefault();
      move(event.key === "ArrowDown" ? 1 : -1);
      return;
    }
    if (event.key === "Tab" || (event.key === "Enter" && choices[chosen].typed > 0)) {
      event.preventDefault();
      accept(chosen);
      return;
    }
    if (event.key === "Escape") {
      offer([]);
      return;
    }
  }
  if (event.key === " " && event.ctrlKey) {
    event.preventDefault();
    ask(true, true);
  } else if (event.key === "Enter" && !event.shiftKey) {
    event.preventDefault();
    const line = area.value.slice(0, area.selectionStart).split("\n").at(-1);
    const deeper = /:\s*$/.test(line) && area.dataset.path.endsWith(".yaml") ? "  " : "";
    document.execCommand("insertText", false, `\n${line.match(/^ */)[0]}${deeper}`);
  } else if ((event.ctrlKey || event.metaKey) && event.key === "s") {
    event.preventDefault();
    save();
  }
});
area.addEventListener("input", typed);
area.addEventListener("blur", () => offer([]));
area.addEventListener("scroll", () => { $("numbers").scrollTop = area.scrollTop; offer([]); });

// --- saving

async function save() {
  if (!$("save")) return;
  const text = area.value;
  const answer = await fetch(`/save/${area.dataset.path}`, {
    method: "POST",
    headers: { "Content-Type": "application/json" },
    body: JSON.stringify({ text, base }),
  });
  const said = await answer.json();
  if (answer.ok) {
    base = said.base;
    saved = text;
  }
  $("saved").textContent = answer.ok ? "saved" : said.error;
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
