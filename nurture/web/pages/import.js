// How far an import is, once a second; when it has ended, the page that says what it did.
const soFar = document.getElementById("so-far");
async function look() {
  const answer = await fetch(`${location.pathname}.json`).catch(() => null);
  if (answer && !answer.ok) return location.reload();
  const found = answer && (await answer.json());
  if (found && found.state !== "running") return location.reload();
  if (found) soFar.textContent = (found.done.new + found.done.updated + found.done.suppressed).toLocaleString("en");
  setTimeout(look, 1000);
}
setTimeout(look, 1000);
