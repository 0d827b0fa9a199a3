"use strict";
(() => {
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
  const remembered = (() => { try { return localStorage.getItem("theme"); } catch { return null; } })();
  if (remembered === "dark" || remembered === "light") root.dataset.theme = remembered;
  const button = $("theme");
  const nameTheme = () => { button.textContent = isDark() ? "Light" : "Dark"; };
  button.hidden = false;
  nameTheme();
  button.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("theme", root.dataset.theme); } catch { /* the choice then lasts for this visit */ }
    nameTheme();
    redraw();
  });
  systemDark.addEventListener("change", () => { nameTheme(); redraw(); });

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

  function themed(figure, dark, width) {
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
      ...rest, font, width: Math.max(width, Math.min(meta?.least_width ?? 0, 1600)), autosize: false, dragmode: false,
      paper_bgcolor: "rgba(0,0,0,0)", plot_bgcolor: "rgba(0,0,0,0)", xaxis: axis(layout.xaxis), yaxis: axis(layout.yaxis),
      hoverlabel: { bgcolor: ink, bordercolor: ink, font: { family: font.family, color: dark ? "#121518" : "#FFFFFF", size: 12.5 }, align: "left" },
    };
    if (narrow && layout.height > 460) themedLayout.height = 400;
    for (const trace of data) if (trace.type === "heatmap") trace.textfont = { color: ink };
    // On a phone the labels of the map would lie on one another: students keep theirs, the rest is in the table.
    if (narrow) for (const trace of data) {
      if (trace.mode === "markers+text" && trace.name !== "student" && trace.x.length > 1) trace.mode = "markers";
      if (trace.mode === "markers+text" && trace.name === "teacher") Object.assign(trace, { text: ["teacher"], textposition: "bottom center" });
    }
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
      const { data, layout } = themed(figures[box.dataset.figure], false, 640);
      window.Plotly.react(box, data, layout, { displayModeBar: false });
      drawn.add(box);
    });
  });
  addEventListener("afterprint", () => { openStudent(currentStudent); redraw(); });

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
  filters.addEventListener("submit", (event) => event.preventDefault());
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

  // Students: one at a time, chosen by tab, link or address.
  const students = all("article.student"), tabs = $("student-tabs");
  let currentStudent = students[0];
  function openStudent(article) {
    if (!article) return;
    currentStudent = article;
    students.forEach((a) => { a.hidden = a !== article; });
    all("button", tabs).forEach((b, i) => {
      b.setAttribute("aria-selected", students[i] === article);
      b.tabIndex = students[i] === article ? 0 : -1;
    });
    all(".plot", article).filter((box) => drawn.has(box)).forEach((box) => draw(box));
  }
  function showStudent(student, teacher, scroll) {
    const article = students.find((a) => a.dataset.student === student && (!teacher || a.dataset.teacher === teacher));
    if (!article) return;
    openStudent(article);
    if (scroll) $("students").scrollIntoView();
    samples?.choose({ student, teacher: article.dataset.teacher });
    writeAddress({ student, teacher: article.dataset.teacher });
  }
  if (students.length > 1) {
    tabs.hidden = false;
    const several = new Set(students.map((a) => a.dataset.teacher)).size > 1;
    for (const article of students) {
      const words = several ? `${article.dataset.label} ← ${article.dataset.teacher}` : article.dataset.label;
      const tab = make("button", { type: "button", textContent: words });
      tab.setAttribute("role", "tab");
      tab.setAttribute("aria-controls", article.id);
      tab.addEventListener("click", () => { openStudent(article); follow(article); });
      tabs.append(tab);
    }
    tabs.addEventListener("keydown", (event) => {
      const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
      if (!step) return;
      const next = (students.indexOf(currentStudent) + step + students.length) % students.length;
      openStudent(students[next]);
      follow(students[next]);
      tabs.children[next].focus();
    });
    openStudent(currentStudent);
  }
  function follow(article) {
    samples?.choose({ student: article.dataset.student, teacher: article.dataset.teacher });
    writeAddress({ student: article.dataset.student, teacher: article.dataset.teacher });
  }

  // Text of models: never parsed as HTML; control and direction characters are spelled out.
  const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069]/g;
  function spelled(character) {
    return `\u27e6U+${character.codePointAt(0).toString(16).toUpperCase().padStart(4, "0")}\u27e7`;
  }
  function writeText(node, text) {
    let from = 0;
    for (const match of text.matchAll(INVISIBLE)) {
      node.append(text.slice(from, match.index), make("span", { className: "spelled", textContent: spelled(match[0]) }));
      from = match.index + match[0].length;
    }
    node.append(text.slice(from));
  }

  // Words that two texts have in common, in order (longest common subsequence).
  const MOST_WORDS = 1500;
  const pieces = (text) => text.replaceAll("\r\n", "\n").match(/\s+|[\p{L}\p{N}_'’]+|[^\s\p{L}\p{N}]/gu) ?? [];
  function common(a, b) {
    const words = (list) => list.flatMap((w, i) => (/\S/.test(w) ? [i] : []));
    const ia = words(a), ib = words(b), n = ia.length, m = ib.length;
    if (!n || !m || n > MOST_WORDS || m > MOST_WORDS) return null;
    const same = (i, j) => a[ia[i]].toLowerCase() === b[ib[j]].toLowerCase();
    const width = m + 1, table = new Uint16Array((n + 1) * width);
    for (let i = n - 1; i >= 0; i--) for (let j = m - 1; j >= 0; j--) {
      table[i * width + j] = same(i, j) ? table[(i + 1) * width + j + 1] + 1 : Math.max(table[(i + 1) * width + j], table[i * width + j + 1]);
    }
    const inA = new Set(), inB = new Set(), runs = new Set();
    let run = [];
    const close = () => { if (run.length >= 3) run.forEach((i) => runs.add(i)); run = []; };
    for (let i = 0, j = 0; i < n && j < m;) {
      if (same(i, j)) { inA.add(ia[i]); inB.add(ib[j]); run.push(ia[i]); i++; j++; }
      else { close(); if (table[(i + 1) * width + j] >= table[i * width + j + 1]) i++; else j++; }
    }
    close();
    return { inA, inB, runs };
  }
  function writeMarked(node, list, marked, className) {
    for (let i = 0; i < list.length; i++) {
      if (!marked(i)) { writeText(node, list[i]); continue; }
      let words = list[i];
      while (i + 1 < list.length && (marked(i + 1) || (!/\S/.test(list[i + 1]) && !list[i + 1].includes("\n") && i + 2 < list.length && marked(i + 2)))) words += list[++i];
      const mark = make("mark", { className });
      writeText(mark, words);
      node.append(mark);
    }
  }

  // Sample browser: blocks are unpacked when opened.
  const samples = $("sample-browser") ? browser(island("samples-data")) : null;
  function browser(tasks) {
    const [task, pair, order, category, search, marking] = ["task", "pair", "order", "category", "search", "mark"].map((x) => $(`sample-${x}`));
    let opened = null;
    $("sample-filters").hidden = false;
    $("sample-browser").hidden = false;
    $("sample-filters").addEventListener("submit", (event) => event.preventDefault());
    const here = () => tasks[Number(task.value)];
    const options = (select, entries, keep) => {
      select.replaceChildren(...entries.map(([value, textContent]) => make("option", { value, textContent })));
      if (entries.some(([value]) => value === keep)) select.value = keep;
    };

    function fill(student, teacher) {
      const { pairs, prompts } = here();
      const index = pairs.findIndex(([s, t]) => s === student && (!teacher || t === teacher));
      const several = new Set(pairs.map((p) => p[1])).size > 1;
      options(pair, pairs.map(([s, t], i) => [String(i), several ? `${s} ← ${t}` : s]), String(Math.max(0, index)));
      const kinds = [...new Set(prompts.map((p) => p.category).filter(Boolean))].sort();
      options(category, [["", "all"], ...kinds.map((k) => [k, k])], category.value);
      $("sample-category-label").hidden = kinds.length < 2;
    }

    function rows() {
      const { prompts } = here(), at = Number(pair.value), wanted = search.value.trim().toLowerCase();
      const found = prompts.map((p, i) => ({ p, i, told: p.told[at] })).filter(({ p, told }) =>
        told && (!category.value || p.category === category.value) && p.text.toLowerCase().includes(wanted) && (order.value !== "error" || told[0]));
      const key = { style: 1, difference: 2 }[order.value];
      return key ? found.sort((a, b) => b.told[key] - a.told[key] || a.i - b.i) : found;
    }

    function list(prompt) {
      const found = rows(), { total, prompts } = here();
      $("sample-count").textContent = `${prompts.length} of ${total} prompts are in this page; ${found.length} fit.`;
      $("sample-list").replaceChildren(...found.map(({ p, i, told }) => {
        const line = make("button", { type: "button" });
        writeText(line, p.text || "(empty prompt)");
        const facts = [p.category, told[0] ? "same mistake" : "", `style ${told[1].toFixed(2)}`, `differs ${told[2].toFixed(2)}`];
        line.append(make("small", { textContent: facts.filter(Boolean).join(" · ") }));
        line.dataset.index = i;
        line.addEventListener("click", () => open(i, true));
        return make("li", {}, line);
      }));
      const asked = found.find(({ p }) => p.id === prompt) ?? found[0];
      if (asked) open(asked.i, false);
      else { opened = null; $("sample-open").replaceChildren(make("p", { className: "quiet", textContent: "No prompt fits these filters." })); }
    }

    async function open(index, byHand) {
      const now = here(), trio = now.pairs[Number(pair.value)];
      opened = index;
      all("button", $("sample-list")).forEach((b) => b.setAttribute("aria-current", Number(b.dataset.index) === index));
      const block = JSON.parse(await inflate(now.blocks[index]));
      if (opened !== index || here() !== now) return;
      const asked = make("div", { className: "asked text", dir: "auto" });
      writeText(asked, block.prompt);
      $("sample-open").replaceChildren(asked, panes(block.answers, trio));
      if (byHand) writeAddress({ student: trio[0], teacher: trio[1], task: now.task, prompt: now.prompts[index].id });
    }

    function panes(answers, [student, teacher, base]) {
      const told = answers[teacher], source = pieces(told?.text ?? "");
      const box = make("div", { className: "panes" });
      const versus = answers[student] ? common(pieces(answers[student].text), source) : null;
      for (const [role, model] of [["teacher", teacher], ["student", student], ["base", base]]) {
        if (!model) continue;
        const answer = answers[model], text = make("div", { className: "text", dir: "auto" });
        const label = make("span", { className: `role role-${role}` }, make("span", { className: "dot" }), role);
        const pane = make("section", { className: "pane" }, make("h4", {}, label, model), text);
        pane.style.padding = "0";
        box.append(pane);
        if (!answer) { text.append(make("span", { className: "quiet", textContent: "no answer stored" })); continue; }
        const own = role === "teacher" ? source : pieces(answer.text);
        const match = role === "teacher" ? versus : role === "student" ? versus : common(own, source);
        const inOwn = role === "teacher" ? match?.inB : match?.inA;
        if (!answer.text) text.append(make("span", { className: "quiet", textContent: "(empty answer)" }));
        else if (!match || !marking.value || (role === "teacher" && marking.value === "shared")) writeMarked(text, own, () => false, "");
        else if (marking.value === "shared") writeMarked(text, own, (i) => match.runs.has(i), "same");
        else writeMarked(text, own, (i) => /\S/.test(own[i]) && !inOwn.has(i), role === "teacher" ? "gone" : "");
        const facts = make("footer");
        if (answer.right !== null) facts.append(make("span", { className: answer.right ? "right-answer" : "wrong-answer", textContent: answer.right ? "✓ right" : "✗ wrong" }));
        const more = [answer.stop === "length" ? "cut by the token limit" : "", answer.cut ? `${answer.cut} characters more in samples.parquet` : ""].filter(Boolean);
        if (more.length) facts.append(`${facts.childNodes.length ? " · " : ""}${more.join(" · ")}`);
        if (facts.childNodes.length) pane.append(facts);
      }
      return box;
    }

    let chosen = [];
    task.addEventListener("change", () => { fill(...chosen); list(); });
    pair.addEventListener("change", () => { chosen = here().pairs[Number(pair.value)]; list(); });
    [order, category].forEach((s) => s.addEventListener("change", () => list()));
    search.addEventListener("input", () => list());
    marking.addEventListener("change", () => { if (opened !== null) open(opened, false); });

    let filled = false;
    function choose({ student, teacher, task: name, prompt }) {
      filled = true;
      chosen = [student, teacher];
      const wanted = tasks.findIndex((t) => t.task === name);
      const holding = tasks.findIndex((t) => t.pairs.some(([s, t2]) => s === student && (!teacher || t2 === teacher)));
      if (wanted >= 0) task.value = String(wanted);
      else if (student && !here().pairs.some(([s]) => s === student) && holding >= 0) task.value = String(holding);
      if (prompt) { order.value = "chance"; category.value = ""; search.value = ""; }
      fill(student, teacher);
      list(prompt);
    }
    new IntersectionObserver((entries, self) => {
      if (!entries.some((e) => e.isIntersecting)) return;
      self.disconnect();
      if (!filled) choose({ student: currentStudent?.dataset.student, teacher: currentStudent?.dataset.teacher });
    }, { rootMargin: "800px" }).observe($("samples"));
    return { choose };
  }

  // Addresses: #student=...&teacher=...&task=...&prompt=... can be shared; #student-3 is the link without scripts.
  function writeAddress(fields) {
    const address = new URLSearchParams(Object.entries(fields).filter(([, v]) => v));
    history.replaceState(null, "", `#${address}`);
  }
  function readAddress() {
    const hash = location.hash.slice(1);
    const plain = students.find((a) => a.id === hash);
    if (plain) return showStudent(plain.dataset.student, plain.dataset.teacher, true);
    if (!hash.includes("=")) {
      const target = hash && document.getElementById(hash);
      if (target?.matches("details")) target.open = true;
      return undefined;
    }
    const asked = Object.fromEntries(new URLSearchParams(hash));
    if (asked.student) {
      const article = students.find((a) => a.dataset.student === asked.student && (!asked.teacher || a.dataset.teacher === asked.teacher));
      openStudent(article ?? currentStudent);
    }
    samples?.choose(asked);
    (asked.task || asked.prompt ? $("samples") : $("students"))?.scrollIntoView();
    return undefined;
  }
  addEventListener("hashchange", readAddress);
  if (location.hash) readAddress();

  // Where the reader is, in the contents.
  const links = all(".contents a");
  const reading = new IntersectionObserver((entries) => {
    for (const { isIntersecting, target } of entries) if (isIntersecting) links.forEach((a) => a.classList.toggle("here", a.hash === `#${target.id}`));
  }, { rootMargin: "-30% 0px -65% 0px" });
  all("main > section").forEach((s) => reading.observe(s));
})();
