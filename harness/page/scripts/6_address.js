// Addresses: #student=...&teacher=...&task=...&prompt=... and, of the leaderboard, sort, columns and filters can be
// shared, as can row=, a row of it; #student-3 is the link without scripts.
function writeAddress(fields) {
  const address = new URLSearchParams(location.hash.includes("=") ? location.hash.slice(1) : "");
  for (const [key, value] of Object.entries(fields)) {
    if (value) address.set(key, value);
    else address.delete(key);
  }
  tried(() => history.replaceState(null, "", `#${address}`));
}
function readAddress() {
  goTo(location.hash.slice(1));
}
// A figure or a measure that is shared may stand in a part that is closed, or in that of another student.
async function reveal(id) {
  const part = all("details.measure").find((details) => id.startsWith(`${details.id}-`) || details.id === id);
  if (part) { part.open = true; await unpack(part); }
  const target = document.getElementById(id), article = target?.closest("article.student");
  if (article) openStudent(article);
  if (target?.matches("details")) target.open = true;
  if (part || article) target?.scrollIntoView();
}
function goTo(hash) {
  const plain = students.find((a) => a.id === hash);
  if (plain) return showStudent(plain.dataset.student, plain.dataset.teacher, true);
  if (!hash.includes("=")) {
    reveal(decodeURIComponent(hash));
    return undefined;
  }
  const asked = Object.fromEntries(new URLSearchParams(hash));
  readBoard(asked);
  if (asked.row) showRow(asked.row);
  if (!asked.student && !asked.task && !asked.prompt) return undefined;
  if (asked.student) {
    const article = students.find((a) => a.dataset.student === asked.student && (!asked.teacher || a.dataset.teacher === asked.teacher));
    openStudent(article ?? currentStudent);
  }
  samples?.choose(asked);
  (asked.task || asked.prompt ? $("samples") : $("students"))?.scrollIntoView();
  return undefined;
}
// Links to parts: a frame without an address of its own would load its parent in their place.
document.addEventListener("click", (event) => {
  const link = event.target.closest?.("a[href^='#']");
  if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
  event.preventDefault();
  const hash = link.getAttribute("href").slice(1), target = document.getElementById(hash);
  tried(() => history.pushState(null, "", `#${hash}`));
  goTo(hash);
  // a long glide is stopped by the figures that are drawn on its way
  const far = Math.abs(target?.getBoundingClientRect().top ?? 0) > innerHeight;
  target?.scrollIntoView({ behavior: far ? "instant" : "auto" });
  if (link.classList.contains("skip")) { target.tabIndex = -1; target.focus({ preventScroll: true }); }
});
addEventListener("hashchange", readAddress);
if (location.hash) readAddress();

equip(document.querySelector("main"));

// Where the reader is, in the contents.
const links = all(".contents a");
const reading = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting) links.forEach((a) => a.classList.toggle("here", a.getAttribute("href") === `#${target.id}`));
}, { rootMargin: "-30% 0px -65% 0px" });
all("main > section").forEach((s) => reading.observe(s));
