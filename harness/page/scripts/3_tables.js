// Words on hover and on focus, instead of titles that neither keyboard nor touch reaches.
const tip = $("tip");
all("main [title]").forEach((node) => {
  node.dataset.tip = node.title;
  node.removeAttribute("title");
  if (node.matches("td span, td code") && !node.hasAttribute("tabindex")) node.tabIndex = 0;
});
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
document.addEventListener("keydown", (event) => { if (event.key === "Escape") hideTip(); });

// Leaderboard: sort by any column, filter, search.
const board = $("board"), body = board.tBodies[0];
const filters = $("board-filters");
filters.hidden = false;
const worth = (cell, numeric) => (numeric ? (cell.dataset.value ? Number(cell.dataset.value) : NaN) : cell.textContent.trim().toLowerCase());
function sortBy(head) {
  const numeric = head.dataset.sort === "number", before = head.getAttribute("aria-sort");
  const rank = head.textContent.startsWith("Rank");
  const first = numeric && !rank ? "descending" : "ascending";
  const direction = before === null ? first : before === "ascending" ? "descending" : "ascending";
  all("th[aria-sort]", board).forEach((th) => th.removeAttribute("aria-sort"));
  head.setAttribute("aria-sort", direction);
  const sign = direction === "ascending" ? 1 : -1, at = head.cellIndex;
  const rows = [...body.rows].map((row, place) => ({ row, place, key: worth(row.cells[at], numeric) }));
  rows.sort((a, b) => {
    if (numeric && (Number.isNaN(a.key) || Number.isNaN(b.key))) return Number.isNaN(a.key) - Number.isNaN(b.key) || a.place - b.place;
    return sign * (a.key < b.key ? -1 : a.key > b.key ? 1 : 0) || a.place - b.place;
  });
  body.append(...rows.map(({ row }) => row));
}
all("thead th[data-sort]", board).forEach((head) => {
  head.tabIndex = 0;
  head.addEventListener("click", () => sortBy(head));
  head.addEventListener("keydown", (event) => {
    if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sortBy(head); }
  });
});
function filterBoard() {
  const wanted = $("board-search").value.trim().toLowerCase();
  let shown = 0;
  for (const row of body.rows) {
    const fits = all("[data-filter]", filters).every((s) => !s.value || row.getAttribute(`data-${s.dataset.filter}`) === s.value);
    row.hidden = !(fits && row.textContent.toLowerCase().includes(wanted));
    shown += !row.hidden;
  }
  $("board-count").textContent = shown < body.rows.length ? `${shown} of ${body.rows.length} rows` : "";
}
filters.addEventListener("input", filterBoard);
const role = filters.querySelector("[data-filter=role]");
if (body.rows.length > 20 && [...role.options].some((o) => o.value === "student" || o.textContent === "student")) {
  role.value = "student";
  filterBoard();
}
