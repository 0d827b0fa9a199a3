const $ = (id) => document.getElementById(id);
const all = (selector, root = document) => [...root.querySelectorAll(selector)];
const island = (id) => JSON.parse($(id).textContent);
// Control and direction characters, which change what a reader sees, are spelled out.
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029]/g;
const spelled = (character) => `\u27e6U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e7`;
const make = (tag, fields = {}, ...children) => {
  const node = Object.assign(document.createElement(tag), fields);
  if ("textContent" in fields) node.textContent = String(fields.textContent).replace(INVISIBLE, spelled);
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
