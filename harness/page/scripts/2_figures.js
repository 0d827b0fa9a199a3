// Figures: drawn when they come near the screen, again when the scheme changes.
const figures = island("figures-data");
const DARK = { "#0072B2": "#56B4E9", "#D55E00": "#F08C4A", "#009E73": "#3EC79E", "#6B6B6B": "#A3A3A3", "#C9C9C9": "#454D55" };
const DARK_SCALE = [[0, "#20272D"], [1, "#1C6FA3"]];
let library = null;
const drawn = new Set();

function plotly() {
  library ??= inflate($("plotly-data").textContent).then((text) => {
    const script = document.createElement("script");
    script.textContent = text;
    document.head.append(script);
    return window.Plotly;
  });
  return library;
}

function recoloured(value, dark) {
  if (Array.isArray(value)) return value.map((v) => recoloured(v, dark));
  if (value && typeof value === "object") {
    return Object.fromEntries(Object.entries(value).map(([k, v]) => [k, k === "colorscale" && dark ? DARK_SCALE : recoloured(v, dark)]));
  }
  return dark && typeof value === "string" ? DARK[value] ?? value : value;
}

function themed(figure, dark, width, print = false) {
  const { data, layout } = recoloured(figure, dark);
  const ink = dark ? "#E7E9EB" : "#1A1D21", muted = dark ? "#A0A9B2" : "#59626C", line = dark ? "#2B3137" : "#E8EAEC";
  const narrow = width < 460;
  const axis = (own = {}) => ({
    gridcolor: line, linecolor: line, tickcolor: line, fixedrange: true, ...own,
    tickfont: { color: muted, size: narrow ? 11 : 12, ...own.tickfont },
    title: { ...own.title, font: { color: muted, size: narrow ? 11 : 12.5 } },
  });
  const font = { family: getComputedStyle(document.body).fontFamily, color: ink, size: narrow ? 11 : 13 };
  const { meta, ...rest } = layout;
  const themedLayout = {
    ...rest, font, width: print ? width : Math.max(width, Math.min(meta?.least_width ?? 0, 1600)), autosize: false, dragmode: false,
    paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
    hoverlabel: { bgcolor: ink, bordercolor: ink, font: { family: font.family, color: dark ? "#121518" : "#FFFFFF", size: 12.5 }, align: "left" },
  };
  for (const key of Object.keys(layout)) if (/^[xy]axis\d+$/.test(key)) themedLayout[key] = axis(layout[key]);
  // Names are placed for a plot of one size: the widest that there is room for.
  const design = meta?.designs?.find((d) => d.width <= width) ?? meta?.designs?.at(-1);
  if (design) Object.assign(themedLayout, { width: design.width, height: design.height, annotations: [...layout.annotations, ...design.annotations] });
  if (print && meta?.least_width > width) themedLayout.xaxis.tickangle = -60;
  if (narrow && layout.height > 460 && !meta?.panels && !design) themedLayout.height = 400;
  for (const trace of data) if (trace.type === "heatmap") trace.textfont = { color: ink };
  if (narrow) for (const trace of data) if (trace.textfont) trace.textfont = { ...trace.textfont, size: 10.5 };
  return { data, layout: themedLayout };
}

async function draw(box, dark = isDark()) {
  const Plotly = await plotly();
  const width = Math.floor(box.getBoundingClientRect().width);
  if (width < 40) return;
  const { data, layout } = themed(figures[box.dataset.figure], dark, width);
  box.style.minHeight = "0";
  await Plotly.react(box, data, layout, { displayModeBar: false, responsive: false, showTips: false });
  if (!drawn.has(box)) {
    drawn.add(box);
    box.on("plotly_click", ({ points }) => { const to = points[0]?.customdata; if (to) showStudent(to[0], to[1], true); });
  }
}

const redraw = () => drawn.forEach((box) => draw(box));
const watcher = new IntersectionObserver((entries) => {
  for (const { isIntersecting, target } of entries) if (isIntersecting && !drawn.has(target)) draw(target);
}, { rootMargin: "500px" });
all(".plot").forEach((box) => watcher.observe(box));
let resizing = 0, lastWidth = innerWidth;
addEventListener("resize", () => {
  if (innerWidth === lastWidth) return;
  lastWidth = innerWidth;
  clearTimeout(resizing);
  resizing = setTimeout(redraw, 150);
});
addEventListener("beforeprint", () => {
  if (!window.Plotly) return;
  all("article.student").forEach((a) => { a.hidden = false; });
  all(".plot").filter((box) => box.getClientRects().length).forEach((box) => {
    const { data, layout } = themed(figures[box.dataset.figure], false, 640, true);
    window.Plotly.react(box, data, layout, { displayModeBar: false });
    drawn.add(box);
  });
});
addEventListener("afterprint", () => { openStudent(currentStudent); redraw(); });
