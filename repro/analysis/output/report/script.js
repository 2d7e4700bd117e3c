"use strict";
// Clicking a column's name sorts its table by what the cells stand for; a second click reverses the order.
for (const table of document.querySelectorAll("table.sortable")) {
  table.querySelectorAll("thead th").forEach((header, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = header.textContent;
    header.replaceChildren(button);
    button.addEventListener("click", () => sort(table, header, column));
  });
}

function sort(table, header, column) {
  const falling = header.getAttribute("aria-sort") === "ascending";
  for (const other of table.querySelectorAll("thead th")) other.removeAttribute("aria-sort");
  header.setAttribute("aria-sort", falling ? "descending" : "ascending");
  for (const body of table.tBodies) {
    const rows = [...body.rows].map((row) => [value(row.cells[column]), row]);
    rows.sort(([one], [other]) => order(one, other, falling));
    body.append(...rows.map(([, row]) => row));
  }
}

function value(cell) {
  const text = cell.dataset.value ?? cell.textContent.trim();
  return text === "" || Number.isNaN(Number(text)) ? text : Number(text);
}

// What is missing stays at the end, whichever way the rest is turned.
function order(one, other, falling) {
  if (one === "" || other === "") return (one === "") - (other === "");
  const forward = typeof one === "number" && typeof other === "number" ? one - other : String(one).localeCompare(String(other), "en");
  return falling ? -forward : forward;
}

// A link into what is folded opens it; a printed page has everything unfolded.
function unfold() {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let at = target; at; at = at.parentElement) if (at.tagName === "DETAILS") at.open = true;
  if (target) target.scrollIntoView();
}
addEventListener("hashchange", unfold);
addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((details) => { details.open = true; }));
unfold();
