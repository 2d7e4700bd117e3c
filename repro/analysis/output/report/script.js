"use strict";
// Clicking a column's name sorts its table by what the cells stand for; a second click turns the order round.
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
