"use strict";
// Sorts, filters and copies. Without it the page shows everything in the order in which it was written.
(() => {
  const all = (selector, from = document) => [...from.querySelectorAll(selector)];
  const shown = document.getElementById("shown");
  const results = document.querySelector("table[data-table=results]");
  for (const element of all(".script")) element.hidden = false;

  // A part of the page is hidden where it says of itself something else than a filter asks for.
  const form = document.getElementById("filters");
  const names = all("select", form).map((select) => select.name);
  const marked = all(names.map((name) => `main [data-${name}]`).join(","));
  const groups = all("[data-any]").reverse();
  const count = () => {
    const rows = [...results.tBodies[0].rows];
    shown.textContent = `${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  };
  const filter = () => {
    const wanted = names.map((name) => [`data-${name}`, form.elements[name].value]).filter((pair) => pair[1]);
    const isOther = (element) => wanted.some(([name, value]) => (element.getAttribute(name) ?? value) !== value);
    for (const element of marked) element.toggleAttribute("hidden", isOther(element));
    // What has nothing left to show is hidden, too.
    for (const group of groups) {
      const isEmpty = (selector) => group.querySelector(selector) && !group.querySelector(`${selector}:not([hidden])`);
      group.toggleAttribute("hidden", isOther(group) || group.dataset.any.split("|").some(isEmpty));
    }
    count();
  };
  form.addEventListener("change", filter);
  form.addEventListener("reset", () => setTimeout(filter));
  form.addEventListener("submit", (event) => event.preventDefault());
  // Browsers keep what was chosen before a page was loaded again.
  if (names.some((name) => form.elements[name].value)) filter();
  else count();

  const collator = new Intl.Collator(undefined, { numeric: true });
  const value = (row, column, isNumber) => {
    const cell = row.cells[column];
    const text = cell.dataset.value ?? cell.textContent.trim();
    // A number begins its text: `20 normals`, `3 (2–4)`.
    const number = isNumber || cell.dataset.value ? Number.parseFloat(text) : NaN;
    return { text, number, missing: Number.isNaN(number) && /^(–|)$/.test(text) };
  };
  const compare = (a, b) => {
    const numbers = [a.number, b.number].map((n) => !Number.isNaN(n));
    if (numbers[0] && numbers[1]) return a.number - b.number;
    return numbers[0] !== numbers[1] ? (numbers[0] ? -1 : 1) : collator.compare(a.text, b.text);
  };
  const sort = (table, head, column) => {
    const before = head.getAttribute("aria-sort");
    const first = head.classList.contains("number") ? "descending" : "ascending";
    const second = first === "ascending" ? "descending" : "ascending";
    const order = before === first ? second : first;
    const sign = order === "ascending" ? 1 : -1;
    const body = table.tBodies[0];
    const rows = [...body.rows].map((row) => ({ row, key: value(row, column, head.classList.contains("number")) }));
    // What is no number or not there comes last in both directions of a column of numbers.
    const isWord = !rows.some(({ key }) => !Number.isNaN(key.number));
    rows.sort((a, b) => {
      const [x, y] = [a.key, b.key];
      if (!isWord && Number.isNaN(x.number) !== Number.isNaN(y.number)) return compare(x, y);
      return x.missing !== y.missing ? (x.missing ? 1 : -1) : sign * compare(x, y);
    });
    body.append(...rows.map(({ row }) => row));
    for (const other of head.parentNode.cells) other.removeAttribute("aria-sort");
    head.setAttribute("aria-sort", order);
  };
  for (const table of all("table.sortable")) {
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const button = document.createElement("button");
      button.type = "button";
      button.append(...head.childNodes);
      head.append(button);
      button.addEventListener("click", () => sort(table, head, column));
    });
  }

  const say = (button, text) => {
    const before = button.dataset.label ?? button.textContent;
    button.dataset.label = before;
    button.textContent = text;
    setTimeout(() => (button.textContent = before), 4000);
  };
  for (const button of all("button[data-copy]")) {
    button.setAttribute("aria-live", "polite");
    button.addEventListener("click", async () => {
      const source = document.getElementById(button.dataset.copy);
      try {
        await navigator.clipboard.writeText(source.textContent);
        say(button, "Copied");
      } catch {
        // Where the browser does not let a page copy, the text is at least chosen.
        getSelection().selectAllChildren(source);
        source.focus();
        say(button, "Chosen: copy it with the keyboard");
      }
    });
  }

  // On paper nothing can be unfolded; single batches would be a book, and keep their summaries.
  const folded = all("details").filter((details) => !details.closest("#batches"));
  addEventListener("beforeprint", () => {
    for (const details of folded) {
      details.dataset.open = details.open;
      details.open = true;
    }
  });
  addEventListener("afterprint", () => {
    for (const details of folded) details.open = details.dataset.open === "true";
  });
})();
