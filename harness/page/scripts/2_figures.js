// Figures stand in the page as SVG. On phones a narrower drawing takes their place; plotly draws one when asked to.
const NARROW = 460; // pixels
const packed = (id) => {
  let read = null;
  return () => (read ??= inflate($(id).textContent).then(JSON.parse));
};
const plots = packed("plots-data"), sketches = packed("narrow-data");
const still = new Map(); // box -> its SVG, while plotly draws
let library = null;
function plotly() {
  library ??= inflate($("plotly-data").textContent).then((text) => {
    const script = make("script");
    script.textContent = text; // as it is: the page allows this program alone, by its digest
    document.head.append(script);
    return window.Plotly;
  });
  return library;
}

const wide = new Map(); // box -> its wide SVG, while a narrow one stands there
async function fit(box) {
  const width = box.clientWidth;
  if (!width || still.has(box)) return;
  if (width < NARROW && !wide.has(box)) {
    wide.set(box, box.innerHTML);
    const sketch = (await sketches())[box.dataset.figure];
    if (sketch) box.innerHTML = sketch;
  } else if (width >= NARROW && wide.has(box)) {
    box.innerHTML = wide.get(box);
    wide.delete(box);
  }
  // what is wider than its box is scrolled, by keys too
  if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
  else box.removeAttribute("tabindex");
}
const sizes = new ResizeObserver((entries) => entries.forEach(({ target }) => fit(target)));

// Plotly's colours are those of the light scheme; these take their place in the dark one.
const DARK = { "#0072B2": "#56B4E9", "#D55E00": "#F08C4A", "#009E73": "#3EC79E", "#6B6B6B": "#A3A3A3", "#C9C9C9": "#454D55" };
const DARK_SCALE = [[0, "#20272D"], [1, "#1C6FA3"]];
function recoloured(value, dark) {
  if (Array.isArray(value)) return value.map((v) => recoloured(v, dark));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, k === "colorscale" && dark ? DARK_SCALE : recoloured(v, dark)]));
  }
  return dark && typeof value === "string" ? DARK[value] ?? value : value;
}
function themed(figure, dark, width) {
  const { data, layout: { meta, ...layout } } = recoloured(figure, dark);
  const ink = dark ? "#E7E9EB" : "#1A1D21", muted = dark ? "#A0A9B2" : "#59626C", line = dark ? "#2B3137" : "#E8EAEC";
  const size = width < NARROW ? 11 : 12.5;
  const axis = (own = {}) => ({
    gridcolor: line, linecolor: line, tickcolor: line, ...own, tickfont: { color: muted, size, ...own.tickfont }, title: { ...own.title, font: { color: muted, size } },
  });
  const font = { family: getComputedStyle(document.body).fontFamily, color: ink, size };
  const full = {
    ...layout, font, width: Math.max(width, meta?.least_width ?? 0), autosize: false, paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)",
    hoverlabel: { bgcolor: ink, bordercolor: ink, font: { family: font.family, color: dark ? "#121518" : "#FFFFFF", size: 12.5 }, align: "left" },
  };
  for (const key of Object.keys(layout)) if (/^[xy]axis\d*$/.test(key)) full[key] = axis(layout[key]);
  // Names are placed for a plot of one size: the widest that there is room for.
  const design = meta?.designs?.find((d) => d.width <= width) ?? meta?.designs?.at(-1);
  if (design) Object.assign(full, { width: design.width, height: design.height, annotations: [...layout.annotations, ...design.annotations] });
  for (const trace of data) if (trace.type === "heatmap") trace.textfont = { color: ink };
  return { data, layout: full };
}
async function draw(box) {
  const [Plotly, every] = await Promise.all([plotly(), plots()]);
  const { data, layout } = themed(every[box.dataset.figure], isDark(), box.clientWidth);
  if (!still.has(box)) { still.set(box, box.innerHTML); box.replaceChildren(); }
  await Plotly.react(box, data, layout, { displaylogo: false, responsive: false, modeBarButtonsToRemove: ["select2d", "lasso2d"] });
  box.on("plotly_click", ({ points }) => { const to = points[0]?.customdata; if (to) showStudent(to[0], to[1], true); });
}
function calm(box) {
  if (!still.has(box)) return;
  window.Plotly.purge(box);
  box.innerHTML = still.get(box);
  still.delete(box);
  fit(box);
}
const redraw = () => [...still.keys()].forEach(draw);
addEventListener("beforeprint", () => {
  [...still.keys()].forEach((box) => box.closest("figure").querySelector(".interactive").click());
  all("article.student").forEach((a) => { a.hidden = false; });
});
addEventListener("afterprint", () => openStudent(currentStudent));

// Downloads and links.
function save(name, content, type) {
  const href = URL.createObjectURL(content instanceof Blob ? content : new Blob([content], { type }));
  make("a", { href, download: name }).click();
  setTimeout(() => URL.revokeObjectURL(href), 1000);
}
async function copy(button, text) {
  const done = await navigator.clipboard?.writeText(text).then(() => true, () => false);
  if (!done) {
    const field = make("textarea", { value: text });
    document.body.append(field);
    field.select();
    document.execCommand("copy");
    field.remove();
  }
  const words = button.textContent;
  button.textContent = "copied";
  setTimeout(() => { button.textContent = words; }, 1200);
}
const addressOf = (hash) => `${location.href.split("#")[0]}#${hash}`;

// A figure as a file of its own: with its colours, on the ground that it stands on.
function fileOf(svg) {
  const own = svg.cloneNode(true), style = getComputedStyle(root);
  const rules = [...document.styleSheets].flatMap((sheet) => [...sheet.cssRules]).filter((rule) => rule.selectorText?.startsWith(".fig"));
  const css = rules.map((rule) => rule.cssText).join("\n").replaceAll(/var\((--[\w-]+)\)/g, (_, name) => style.getPropertyValue(name).trim());
  const ground = document.createElementNS(own.namespaceURI, "rect"), sheet = document.createElementNS(own.namespaceURI, "style");
  for (const [key, value] of Object.entries({ width: "100%", height: "100%", fill: style.getPropertyValue("--surface").trim() })) ground.setAttribute(key, value);
  sheet.textContent = css;
  own.prepend(sheet, ground);
  return new XMLSerializer().serializeToString(own);
}
function savePng(name, svg) {
  const image = new Image(), { width, height } = svg.viewBox.baseVal, sharp = 3;
  image.onload = () => {
    const canvas = make("canvas", { width: width * sharp, height: height * sharp });
    canvas.getContext("2d").drawImage(image, 0, 0, canvas.width, canvas.height);
    canvas.toBlob((blob) => save(name, blob));
  };
  image.src = `data:image/svg+xml;charset=utf-8,${encodeURIComponent(fileOf(svg))}`;
}

function tool(words, action, fields = {}) {
  const button = make("button", { type: "button", textContent: words, ...fields });
  button.addEventListener("click", () => action(button));
  return button;
}
function equipFigure(figure) {
  const box = figure.querySelector(".plot"), name = box.dataset.figure, svg = () => box.querySelector("svg.fig");
  const tools = make("div", { className: "tools" });
  const whenStill = (action) => () => { calm(box); turn.textContent = "Interactive"; action(); };
  const turn = tool("Interactive", async () => {
    if (still.has(box)) calm(box);
    else await draw(box);
    turn.textContent = still.has(box) ? "Still" : "Interactive";
  }, { className: "interactive" });
  if ($("plotly-data")) tools.append(turn);
  tools.append(
    tool("SVG", whenStill(() => save(`${name}.svg`, fileOf(svg()), "image/svg+xml"))),
    tool("PNG", whenStill(() => savePng(`${name}.png`, svg()))),
    tool("Link", (button) => copy(button, addressOf(figure.id))),
  );
  figure.querySelector("h3").after(tools);
  sizes.observe(box);
}
document.addEventListener("click", (event) => {
  const { student, teacher } = event.target.closest?.(".fig [data-student]")?.dataset ?? {};
  if (student) showStudent(student, teacher, true);
});
