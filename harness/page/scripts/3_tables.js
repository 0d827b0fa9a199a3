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

// Ordered by a column all rows stand in one list; a third press brings back the order by teacher. Rows can stand in groups.
const group = $("board-group");
const NAMELESS = { family: "families of one model", size: "size not known" };
let order = null; // the head that rows are sorted by, and in which direction
function sortBy(head, direction) {
  heads.forEach((th) => th.removeAttribute("aria-sort"));
  if (direction) head.setAttribute("aria-sort", direction);
  order = direction ? { head, direction } : null;
  arrange();
}
function ordered(rows) {
  if (!order) return rows;
  const { head, direction } = order, numeric = head.dataset.sort === "number", sign = direction === "ascending" ? 1 : -1, at = heads.indexOf(head);
  const keyed = rows.map((row, place) => ({ row, place, key: worth(row.cells[at], numeric) }));
  keyed.sort((a, b) => {
    if (numeric && (Number.isNaN(a.key) || Number.isNaN(b.key))) return Number.isNaN(a.key) - Number.isNaN(b.key) || a.place - b.place;
    return sign * (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) || a.place - b.place;
  });
  return keyed.map(({ row }) => row);
}
function arrange() {
  board.classList.toggle("sorted", Boolean(order || group.value));
  all("tbody.group", board).forEach((body) => body.remove());
  for (const [body, rows] of homes) body.append(...rows);
  if (group.value) {
    board.append(...group.dataset[group.value].split("\n").map(groupOf));
  } else if (order) board.tBodies[0].append(...ordered(lines));
}
function groupOf(name) {
  const own = ordered(lines.filter((row) => row.dataset[group.value] === name));
  const words = make("th", { scope: "rowgroup", colSpan: heads.length, textContent: name || NAMELESS[group.value] });
  return make("tbody", { className: "group" }, make("tr", { className: "of-group" }, words), ...own);
}
group.addEventListener("change", () => { arrange(); filterBoard(); tellBoard(); });
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
  row.cells[0].append(make("span", { className: "to-rows" }, tool("#", (button) => { writeAddress({ row: nameOfRow(row) }); copy(button, location.href); }, { className: "to-row", ariaLabel: words })));
}
function showRow(name) {
  const row = lines.find((line) => nameOfRow(line) === name);
  if (!row) return;
  all(".fold button", board).filter((button) => button.dataset.fold === row.dataset.fold && row.classList.contains("folded")).forEach((button) => button.click());
  lines.forEach((line) => line.classList.toggle("asked-for", line === row));
  row.scrollIntoView({ block: "center" });
}
const choices = all("[data-filter]", filters);
// Numbers: "capability >= 0.8, cut < 5 %". A column is called by its title or its name, as much of it as tells it apart.
const where = $("board-where"), SIGNS = { ">=": (a, b) => a >= b, "<=": (a, b) => a <= b, ">": (a, b) => a > b, "<": (a, b) => a < b, "=": (a, b) => a === b };
const titleOf = (head) => head.firstChild.textContent.trim();
const numeric = heads.filter((head) => head.dataset.sort === "number");
for (const head of numeric) $("board-words").append(make("option", { value: `${titleOf(head)} >= ` }));
function columnOf(word) {
  const wanted = word.toLowerCase(), spellings = (head) => [titleOf(head).toLowerCase(), head.dataset.name.toLowerCase()];
  const exact = numeric.filter((head) => spellings(head).includes(wanted));
  const fitting = exact.length ? exact : numeric.filter((head) => spellings(head).some((name) => name.startsWith(wanted)));
  return fitting.length === 1 || exact.length ? fitting[0] : null;
}
function conditions(text) {
  return text.split(/,|;|\band\b/i).map((part) => part.trim()).filter(Boolean).map((part) => {
    const [, word, sign, number, percent] = part.replace("\u2212", "-").replace("\u2265", ">=").replace("\u2264", "<=").match(/^(.+?)\s*(>=|<=|>|<|=)\s*(-?(?:\d+\.?\d*|\.\d+)(?:e[+-]?\d+)?)\s*(%?)$/i) ?? [];
    if (!word) return { fault: `"${part}": expected COLUMN >= NUMBER, such as ${where.placeholder}` };
    const head = columnOf(word.trim());
    if (!head) return { fault: `"${word.trim()}" is not one column: expected ${numeric.map(titleOf).slice(0, 6).join(", ")} or another` };
    const bound = Number(number) / (percent ? 100 : 1);
    return { fits: (row) => { const value = worth(row.cells[heads.indexOf(head)], true); return !Number.isNaN(value) && SIGNS[sign](value, bound); } };
  });
}
function filterBoard() {
  const wanted = $("board-search").value.trim().toLowerCase(), asked = conditions(where.value), fault = asked.find((c) => c.fault);
  const numbers = fault ? [] : asked, filtered = Boolean(wanted || numbers.length) || choices.some((s) => s.value);
  where.setAttribute("aria-invalid", Boolean(fault));
  board.classList.toggle("filtered", filtered);
  let shown = 0;
  for (const row of lines) {
    const fits = choices.every((s) => !s.value || row.getAttribute(`data-${s.dataset.filter}`) === s.value);
    row.hidden = !(fits && row.cells[0].textContent.toLowerCase().includes(wanted) && numbers.every((c) => c.fits(row)));
    shown += !row.hidden;
  }
  for (const body of all("tbody.group", board)) body.hidden = [...body.rows].every((row) => row.hidden || row.className === "of-group");
  $("board-count").textContent = fault ? fault.fault : filtered ? `${shown} of ${lines.length} rows` : "";
}
filters.addEventListener("input", (event) => {
  if (event.target.type === "checkbox" || event.target === group) return;
  filterBoard();
  tellBoard();
});

const FIELDS = { find: $("board-search"), where, group, ...Object.fromEntries(choices.map((s) => [s.dataset.filter === "teacher" ? "of" : s.dataset.filter, s])) };
function tellBoard() {
  const sorted = board.querySelector("th[aria-sort]"), seen = heads.filter((h) => KINDS[h.dataset.kind] && !h.hidden).map((h) => h.dataset.name);
  writeAddress({
    sort: sorted && `${sorted.dataset.name} ${sorted.getAttribute("aria-sort")}`,
    columns: heads.some((h, i) => h.hidden === usual[i]) && seen.join(","),
    pin: pinned.map(nameOfRow).join(" | "),
    ...Object.fromEntries(Object.entries(FIELDS).map(([key, field]) => [key, field.value])),
  });
}
function readBoard(asked) {
  const chosen = asked.columns?.split(",");
  showColumns((head, at) => (chosen && KINDS[head.dataset.kind] ? chosen.includes(head.dataset.name) : usual[at]));
  for (const [key, field] of Object.entries(FIELDS)) field.value = asked[key] ?? "";
  const [, name, direction] = asked.sort?.match(/^(.*) (ascending|descending)$/) ?? [];
  sortBy(headOf(name), headOf(name) && direction);
  pinned = (asked.pin?.split(" | ") ?? []).map((own) => lines.find((row) => nameOfRow(row) === own)).filter(Boolean).slice(0, 2);
  showPinned();
  filterBoard();
}

// Two rows beside one another: their numbers in all columns that are seen, and what their paired comparison says.
let pinned = [];
const versus = packed("versus-data");
for (const row of lines) {
  const button = tool("pin", () => {
    pinned = pinned.includes(row) ? pinned.filter((r) => r !== row) : [...pinned, row].slice(-2);
    showPinned();
    tellBoard();
  }, { className: "to-row to-pin", ariaLabel: `Pin ${row.dataset.student} to compare it` });
  button.setAttribute("aria-pressed", "false");
  row.querySelector(".to-rows").append(button);
}
async function showPinned() {
  for (const row of lines) {
    row.classList.toggle("pinned", pinned.includes(row));
    row.querySelector(".to-pin").setAttribute("aria-pressed", pinned.includes(row));
  }
  const box = $("board-pinned"), [one, two] = pinned;
  box.hidden = !one;
  if (!one) return box.replaceChildren();
  if (!two) return box.replaceChildren(make("p", { className: "quiet", textContent: `${one.dataset.student} is pinned: pin another row to compare the two.` }));
  const told = (await versus()).filter(([, first, second, teacher, base, setting]) => [one, two].every((r) => r.dataset.teacher === teacher && r.dataset.base === base && (r.dataset.setting ?? "") === setting && [first, second].includes(r.dataset.student)));
  const said = new Map(told.map(([metric, first, , , , , difference, turned, words, turnedWords]) => [metric, first === one.dataset.student ? [difference, words] : [turned, turnedWords]]));
  const cellOf = (row, at) => { const own = row.cells[at].cloneNode(true); own.hidden = false; all("[tabindex]", own).forEach((n) => n.removeAttribute("tabindex")); return own; };
  const th = (words, fields = {}) => make("th", { scope: "col", textContent: words, ...fields });
  const body = heads.map((head, at) => ({ head, at })).filter(({ head, at }) => at && !head.hidden).map(({ head, at }) => {
    const [difference, words] = said.get(head.dataset.name) ?? ["", ""];
    return make("tr", {}, make("th", { scope: "row", textContent: titleOf(head) }), cellOf(one, at), cellOf(two, at), make("td", { className: "num", textContent: difference }), make("td", { textContent: words }));
  });
  const names = [one, two].map((row) => th(row.dataset.label ?? row.dataset.student, { className: "num" }));
  const table = make("table", { className: "compact" }, make("thead", {}, make("tr", {}, th("Measure"), ...names, th("Difference", { className: "num" }), th("Paired, corrected"))), make("tbody", {}, ...body));
  const scroll = make("div", { className: "scroll", tabIndex: 0, role: "group", ariaLabel: "Two rows compared" }, table);
  box.replaceChildren(scroll, make("p", { className: "quiet" }, "The first minus the second, on the prompts that both have; empty where the run does not compare the two. ", tool("Unpin both", () => { pinned = []; showPinned(); tellBoard(); })));
  equipTable(scroll);
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
  for (const menu of all("details.menu")) if (menu.open && !menu.contains(event.target)) menu.open = false;
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
