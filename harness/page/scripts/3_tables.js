// Words on hover and on focus, instead of titles that neither keyboard nor touch reaches.
const tip = $("tip");
function equipTips(part) {
  all("[title]", part).forEach((node) => {
    node.dataset.tip = node.title;
    node.removeAttribute("title");
    if (node.matches("td span, td code, .hole") && !node.hasAttribute("tabindex")) node.tabIndex = 0;
  });
}
const showTip = (event) => {
  const node = event.target.closest?.("[data-tip]");
  if (!node) return hideTip();
  tip.textContent = node.dataset.tip;
  tip.hidden = false;
  const at = node.getBoundingClientRect(), own = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(8, Math.min(at.left + at.width / 2 - own.width / 2, innerWidth - own.width - 8))}px`;
  tip.style.top = `${at.top - own.height - 8 > 0 ? at.top - own.height - 8 : at.bottom + 8}px`;
};
const hideTip = () => { tip.hidden = true; };
for (const kind of ["mouseover", "focusin"]) document.addEventListener(kind, showTip);
for (const kind of ["mouseout", "focusout"]) document.addEventListener(kind, hideTip);
addEventListener("scroll", hideTip, { passive: true, capture: true });
document.addEventListener("keydown", (event) => { if (event.key === "Escape") { hideTip(); all("details.menu").forEach((menu) => { menu.open = false; }); } });

// Leaderboard: columns, order, filters and folds; the address holds them.
const board = $("board"), filters = $("board-filters");
const heads = all("thead th", board), lines = all("tbody tr[data-role]", board);
const homes = all("tbody", board).map((body) => [body, [...body.rows]]);
const usual = heads.map((head) => !head.hidden);
filters.hidden = false;
const headOf = (name) => heads.find((head) => head.dataset.name === name);
const worth = (cell, numeric) => (numeric ? (cell.dataset.value ? Number(cell.dataset.value) : NaN) : cell.textContent.trim().toLowerCase());

function showColumns(fits) {
  heads.forEach((head, at) => {
    head.hidden = !fits(head, at);
    for (const row of lines) row.cells[at].hidden = head.hidden;
  });
  all("input", $("board-columns")).forEach((box) => { box.checked = !headOf(box.name).hidden; });
}
const KINDS = { measure: "Measures", "own measure": "Measures", "further measure": "More measures", task: "Tasks", model: "Models" };
for (const head of heads) {
  const kind = KINDS[head.dataset.kind];
  if (!kind) continue;
  const group = all("fieldset", $("board-columns")).find((f) => f.name === kind) ?? make("fieldset", { name: kind }, make("legend", { textContent: kind }));
  const box = make("input", { type: "checkbox", name: head.dataset.name, checked: !head.hidden });
  box.addEventListener("change", () => {
    const wanted = new Set(all("input:checked", $("board-columns")).map((b) => b.name));
    showColumns((h) => !KINDS[h.dataset.kind] || wanted.has(h.dataset.name));
    tellBoard();
  });
  group.append(make("label", {}, box, ` ${head.firstChild.textContent.trim()}`));
  $("board-columns").append(group);
}

// Ordered by a column all rows stand in one list; a third press brings back the order by teacher.
function sortBy(head, direction) {
  heads.forEach((th) => th.removeAttribute("aria-sort"));
  board.classList.toggle("sorted", Boolean(direction));
  for (const [body, rows] of homes) body.append(...rows);
  if (!direction) return;
  head.setAttribute("aria-sort", direction);
  const numeric = head.dataset.sort === "number", sign = direction === "ascending" ? 1 : -1, at = heads.indexOf(head);
  const keyed = lines.map((row, place) => ({ row, place, key: worth(row.cells[at], numeric) }));
  keyed.sort((a, b) => {
    if (numeric && (Number.isNaN(a.key) || Number.isNaN(b.key))) return Number.isNaN(a.key) - Number.isNaN(b.key) || a.place - b.place;
    return sign * (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) || a.place - b.place;
  });
  board.tBodies[0].append(...keyed.map(({ row }) => row));
}
function nextOrder(head) {
  const downwards = head.dataset.sort === "number" && head.dataset.name !== "rank";
  const turns = downwards ? ["descending", "ascending"] : ["ascending", "descending"];
  sortBy(head, turns[turns.indexOf(head.getAttribute("aria-sort")) + 1]);
  tellBoard();
}
heads.forEach((head) => {
  head.tabIndex = 0;
  head.addEventListener("click", () => nextOrder(head));
  head.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); nextOrder(head); }
  });
});

// Folds open row by row; whoever filters sees folded rows too.
all(".fold button", board).forEach((button) => button.addEventListener("click", () => {
  const open = button.getAttribute("aria-expanded") !== "true";
  button.setAttribute("aria-expanded", open);
  for (let row = button.closest("tr").nextElementSibling; row?.dataset.fold === button.dataset.fold; row = row.nextElementSibling) row.classList.toggle("folded", !open);
}));
// Every row has an address.
const nameOfRow = (row) => [row.dataset.label ?? row.dataset.student, row.dataset.teacher, row.dataset.base].join(" / ");
for (const row of lines) {
  const words = `Copy the link to the row of ${row.dataset.student}`;
  row.cells[0].append(tool("#", (button) => { writeAddress({ row: nameOfRow(row) }); copy(button, location.href); }, { className: "to-row", ariaLabel: words }));
}
function showRow(name) {
  const row = lines.find((line) => nameOfRow(line) === name);
  if (!row) return;
  all(".fold button", board).filter((button) => button.dataset.fold === row.dataset.fold && row.classList.contains("folded")).forEach((button) => button.click());
  lines.forEach((line) => line.classList.toggle("asked-for", line === row));
  row.scrollIntoView({ block: "center" });
}
const choices = all("[data-filter]", filters);
function filterBoard() {
  const wanted = $("board-search").value.trim().toLowerCase();
  const filtered = Boolean(wanted) || choices.some((s) => s.value);
  board.classList.toggle("filtered", filtered);
  let shown = 0;
  for (const row of lines) {
    const fits = choices.every((s) => !s.value || row.getAttribute(`data-${s.dataset.filter}`) === s.value);
    row.hidden = !(fits && row.cells[0].textContent.toLowerCase().includes(wanted));
    shown += !row.hidden;
  }
  $("board-count").textContent = filtered ? `${shown} of ${lines.length} rows` : "";
}
filters.addEventListener("input", (event) => {
  if (event.target.type === "checkbox") return;
  filterBoard();
  tellBoard();
});

const FIELDS = { find: $("board-search"), ...Object.fromEntries(choices.map((s) => [s.dataset.filter === "teacher" ? "of" : s.dataset.filter, s])) };
function tellBoard() {
  const sorted = board.querySelector("th[aria-sort]"), seen = heads.filter((h) => KINDS[h.dataset.kind] && !h.hidden).map((h) => h.dataset.name);
  writeAddress({
    sort: sorted && `${sorted.dataset.name} ${sorted.getAttribute("aria-sort")}`,
    columns: heads.some((h, i) => h.hidden === usual[i]) && seen.join(","),
    ...Object.fromEntries(Object.entries(FIELDS).map(([key, field]) => [key, field.value])),
  });
}
function readBoard(asked) {
  const chosen = asked.columns?.split(",");
  showColumns((head, at) => (chosen && KINDS[head.dataset.kind] ? chosen.includes(head.dataset.name) : usual[at]));
  const [, name, direction] = asked.sort?.match(/^(.*) (ascending|descending)$/) ?? [];
  sortBy(headOf(name), headOf(name) && direction);
  for (const [key, field] of Object.entries(FIELDS)) field.value = asked[key] ?? "";
  filterBoard();
}

// A spreadsheet runs a text that begins like a formula: an apostrophe keeps it a text. Numbers stay.
function csvOf(table) {
  const plain = (text) => (/^[=+\-@\t\r]/.test(text) && Number.isNaN(Number(text)) ? `'${text}` : text);
  const quoted = (text) => (/[",\n\r]/.test(text) ? `"${text.replaceAll('"', '""')}"` : text);
  return `${table.map((row) => row.map((text) => quoted(plain(text))).join(",")).join("\n")}\n`;
}
// Every other table as it stands; what is small in a cell comes behind a space.
function equipTable(scroll) {
  const table = scroll.querySelector("table");
  const words = (cell) => [...cell.childNodes].map((node) => node.textContent.trim()).filter(Boolean).join(" ");
  const label = scroll.getAttribute("aria-label"), figure = scroll.closest("figure")?.querySelector(".plot").dataset.figure;
  const name = (figure ?? label).replaceAll(/[^\p{L}\p{N}_-]+/gu, "-");
  const button = tool("CSV", () => save(`${name}.csv`, csvOf([...table.rows].map((row) => [...row.cells].map(words))), "text/csv"), { ariaLabel: `CSV of ${label}` });
  scroll.before(make("div", { className: "tools of-table" }, button));
}
// Long tables and the figures of measures are unpacked when they are opened.
const insides = island("insides-data");
async function unpack(part) {
  const box = part.querySelector(".inside");
  if (!box?.dataset.inside) return;
  const name = box.dataset.inside;
  delete box.dataset.inside;
  box.innerHTML = await inflate(insides[name]);
  equip(box);
}
all("details.packed").forEach((part) => part.addEventListener("toggle", () => { if (part.open) unpack(part); }));
function equip(part) {
  equipTips(part);
  all("figure.picture", part).forEach(equipFigure);
  all(".scroll", part).filter((scroll) => scroll.querySelector("table:not(#board)")).forEach(equipTable);
}

// The rows and columns that are seen, with the numbers in full.
function boardCsv() {
  const seen = heads.map((head, at) => ({ head, at })).filter(({ head, at }) => at && !head.hidden);
  const table = [["model", "role", "teacher", ...seen.flatMap(({ head }) => (head.dataset.sort === "number" ? [head.dataset.name, `${head.dataset.name} interval`] : [head.dataset.name]))]];
  for (const row of all("tbody tr[data-role]", board)) {
    if (!row.getClientRects().length) continue;
    const values = seen.flatMap(({ head, at }) => {
      const cell = row.cells[at];
      if (head.dataset.sort !== "number") return [cell.textContent.trim()];
      return [cell.dataset.value ?? "", cell.querySelector(".interval")?.textContent ?? ""];
    });
    table.push([row.dataset.student, row.dataset.role, row.dataset.teacher, ...values]);
  }
  return csvOf(table);
}
$("board-csv").addEventListener("click", () => save("leaderboard-view.csv", boardCsv(), "text/csv"));
document.addEventListener("click", (event) => {
  const menu = filters.querySelector(".menu");
  if (menu.open && !menu.contains(event.target)) menu.open = false;
});

// A row shows its point on the map.
const map = document.querySelector(".beside .plot");
function pointAt(row) {
  const { label = row?.dataset.student, teacher } = row?.dataset ?? {};
  all("[data-student]", map ?? make("i")).forEach((point) => point.classList.toggle("lit", point.dataset.student === label && point.dataset.teacher === teacher));
}
for (const row of lines) {
  row.addEventListener("mouseenter", () => pointAt(row));
  row.addEventListener("mouseleave", () => pointAt(null));
}
