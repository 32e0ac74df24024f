// What pages do when they are read in a browser: tables filter and sort, buttons copy. Without it everything can be read.
"use strict";

for (const button of document.querySelectorAll("[data-copy]")) {
  button.addEventListener("click", async () => {
    const text = document.getElementById(button.dataset.copy).textContent;
    let done = true;
    try {
      await navigator.clipboard.writeText(text);
    } catch {
      // A page from a file has no clipboard to write to in every browser: what is selected can be copied in all.
      const range = document.createRange();
      range.selectNodeContents(document.getElementById(button.dataset.copy));
      getSelection().removeAllRanges();
      getSelection().addRange(range);
      done = document.execCommand("copy");
    }
    button.textContent = done ? "Copied" : "Selected";
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  });
}

const value = (row, column) => {
  const cell = row.cells[column];
  const text = cell.dataset.v ?? cell.textContent.trim();
  const number = Number(text);
  return text !== "" && !Number.isNaN(number) ? number : text.toLowerCase();
};

for (const table of document.querySelectorAll("[data-sortable]")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button")?.addEventListener("click", () => {
    const body = table.tBodies[0];
    // Figures are first sorted from the largest, names from A.
    const numeric = typeof value(body.rows[0], column) === "number";
    const was = head.getAttribute("aria-sort");
    const down = was ? was === "ascending" : numeric;
    for (const other of heads) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", down ? "descending" : "ascending");
    const order = (a, b) => typeof a === "number" && typeof b === "number" ? a - b : String(a).localeCompare(String(b));
    const rows = [...body.rows].map((row, place) => ({ row, place, key: value(row, column) }));
    rows.sort((a, b) => (down ? -1 : 1) * order(a.key, b.key) || a.place - b.place);
    body.append(...rows.map((entry) => entry.row));
  }));
}

const filter = (name) => {
  const table = document.getElementById(name);
  const words = document.querySelector(`[data-filter="${name}"]`).value.toLowerCase().split(/\s+/).filter(Boolean);
  const wanted = document.querySelector(`[data-placement="${name}"]`)?.value ?? "";
  let shown = 0;
  for (const row of table.tBodies[0].rows) {
    const text = row.textContent.toLowerCase();
    let any = !wanted;
    if (table.closest(".matrix")) {
      for (const cell of row.querySelectorAll("td:not(.n)")) {
        const kind = cell.classList[0];
        const fits = !wanted || kind === wanted || (wanted === "fits" && ["gpu", "mix", "ram"].includes(kind));
        cell.classList.toggle("dim", !fits);
        any ||= fits;
      }
    }
    row.hidden = !any || !words.every((word) => text.includes(word));
    shown += row.hidden ? 0 : 1;
  }
  const count = document.querySelector(`[data-count="${name}"]`);
  if (count) count.textContent = `${shown} of ${table.tBodies[0].rows.length}`;
};

for (const field of document.querySelectorAll("[data-filter]")) {
  field.addEventListener("input", () => filter(field.dataset.filter));
  filter(field.dataset.filter);
}
for (const field of document.querySelectorAll("[data-placement]")) {
  field.addEventListener("change", () => filter(field.dataset.placement));
}
