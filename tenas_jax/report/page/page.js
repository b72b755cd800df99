"use strict";
// Sorting of tables, the texts of a picture's marks, and printing with everything unfolded.

const words = new Intl.Collator(undefined, { numeric: true });

function value(row, column) {
  const cell = row.cells[column];
  const text = cell.textContent.trim();
  if (cell.dataset.n !== undefined) return Number(cell.dataset.n);
  return text === "–" || text === "" ? null : text;
}

function compare(a, b) {
  if (typeof a === "number" && typeof b === "number") return a - b;
  return words.compare(String(a), String(b));
}

function sort(head) {
  const table = head.closest("table");
  const column = head.cellIndex;
  const falling = head.getAttribute("aria-sort") === "ascending";
  for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", falling ? "descending" : "ascending");
  const body = table.tBodies[0];
  const rows = Array.from(body.rows, (row) => ({ row, value: value(row, column) }));
  // What is missing comes last either way; Array.sort is stable.
  rows.sort((a, b) => {
    if (a.value === null || b.value === null) return (a.value === null) - (b.value === null);
    return falling ? compare(b.value, a.value) : compare(a.value, b.value);
  });
  body.append(...rows.map((item) => item.row));
}

for (const button of document.querySelectorAll("th button")) {
  button.addEventListener("click", () => sort(button.parentElement));
}

const tip = document.getElementById("tip");
const archs = JSON.parse(document.getElementById("archs").textContent);

function textOf(mark) {
  const text = mark.dataset.hover;
  if (!mark.closest("[data-archs]")) return text;
  return text.replace(/^@(\d+)(?=\n)/, (whole, number) => archs[number] ?? whole);
}

function show(mark, x, y) {
  tip.textContent = textOf(mark);
  tip.hidden = false;
  const width = document.documentElement.clientWidth;
  const box = tip.getBoundingClientRect();
  const left = Math.max(8, Math.min(x + 14, width - box.width - 8));
  const above = y - box.height - 14;
  tip.style.left = `${left}px`;
  tip.style.top = `${above < 8 ? y + 18 : above}px`;
}

function hide() {
  tip.hidden = true;
}

// A finger is broader than a mark.
function nearest(box, x, y, reach) {
  let best = null;
  for (const mark of box.querySelectorAll("[data-hover]")) {
    const box = mark.getBoundingClientRect();
    const dx = Math.max(box.left - x, 0, x - box.right);
    const dy = Math.max(box.top - y, 0, y - box.bottom);
    const distance = Math.hypot(dx, dy);
    if (distance <= reach) [reach, best] = [distance, mark];
  }
  return best;
}

// A browser's own boxes would lie over ours.
for (const title of document.querySelectorAll("[data-hover] > title")) title.remove();

document.addEventListener("pointermove", (event) => {
  if (event.pointerType === "touch") return;
  const mark = event.target.closest?.("[data-hover]");
  if (mark) show(mark, event.clientX, event.clientY);
  else hide();
});
document.addEventListener("click", (event) => {
  const box = event.target.closest?.(".drawing");
  const own = event.target.closest?.("[data-hover]");
  const mark = own ?? (box && nearest(box, event.clientX, event.clientY, 24));
  if (mark) show(mark, event.clientX, event.clientY);
  else hide();
});
document.addEventListener("scroll", hide, { capture: true, passive: true });
document.addEventListener("keydown", (event) => {
  if (event.key === "Escape") hide();
});

let folded = [];
addEventListener("beforeprint", () => {
  hide();
  folded = [...document.querySelectorAll("details:not([open])")];
  for (const details of folded) details.open = true;
});
addEventListener("afterprint", () => {
  for (const details of folded) details.open = false;
});
