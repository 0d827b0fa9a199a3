const $ = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const island = (id) => JSON.parse($(id).textContent);
const make = (tag, fields = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), fields);
  node.append(...children);
  return node;
};

async function inflate(base64) {
  const bytes = Uint8Array.from(atob(base64.trim()), (c) => c.charCodeAt(0));
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return new Response(stream).text();
}

// Theme: the system's, unless the reader switched; file:// pages may have no storage.
const root = document.documentElement;
const systemDark = matchMedia("(prefers-color-scheme: dark)");
const isDark = () => (root.dataset.theme ? root.dataset.theme === "dark" : systemDark.matches);
// What a frame may forbid is tried: storage, and changes of the address.
const tried = (action) => { try { return action(); } catch { return null; } };
const remembered = tried(() => localStorage.getItem("theme"));
if (remembered === "dark" || remembered === "light") root.dataset.theme = remembered;
const button = $("theme");
const nameTheme = () => { button.textContent = isDark() ? "Light" : "Dark"; };
button.hidden = false;
nameTheme();
button.addEventListener("click", () => {
  root.dataset.theme = isDark() ? "light" : "dark";
  tried(() => localStorage.setItem("theme", root.dataset.theme));
  nameTheme();
  redraw();
});
systemDark.addEventListener("change", () => { nameTheme(); redraw(); });
