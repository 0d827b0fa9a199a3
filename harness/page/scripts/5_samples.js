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

// Sample browser: the list is unpacked when it comes near the screen or is asked for, a block when it is opened.
const tasksOf = packed("samples-data");
let asking = null;
const openBrowser = () => (asking ??= tasksOf().then(browser));
const samples = $("sample-browser") && { choose: (asked) => openBrowser().then((opened) => opened.choose(asked)) };
if (samples) {
  $("sample-filters").hidden = false;
  $("sample-browser").hidden = false;
  new IntersectionObserver((entries, self) => {
    if (!entries.some((e) => e.isIntersecting)) return;
    self.disconnect();
    if (!asking) samples.choose({ student: currentStudent?.dataset.student, teacher: currentStudent?.dataset.teacher });
  }, { rootMargin: "800px" }).observe($("samples"));
}
function browser(tasks) {
  const [task, pair, order, category, search, marking] = ["task", "pair", "order", "category", "search", "mark"].map((x) => $(`sample-${x}`));
  let opened = null;
  // What is shown: words, and of a filter whether a prompt fits; told = same mistake, style, difference, letters.
  const SHOWN = {
    chance: ["as sampled"], error: ["both wrong the same way", (told) => told[0]],
    lost: ["teacher right, student wrong", (told) => told[3].includes("t")], forgot: ["base right, student wrong", (told) => told[3].includes("b")],
    cut: ["student cut", (told) => told[3].includes("c")], refused: ["student refused", (told) => told[3].includes("r")],
    style: ["most alike in style"], difference: ["largest difference"],
  };
  const here = () => tasks[Number(task.value)];
  // In a sweep a student has the swept values in its name, unless they change none of its answers.
  const pairOf = (pairs, student, teacher) => {
    const fits = [([s, t]) => s === student && (!teacher || t === teacher), ([s]) => s === student, ([s]) => student?.startsWith(`${s} `)];
    return fits.map((fit) => pairs.findIndex(fit)).find((i) => i >= 0) ?? -1;
  };
  const options = (select, entries, keep) => {
    select.replaceChildren(...entries.map(([value, textContent]) => make("option", { value, textContent })));
    if (entries.some(([value]) => value === keep)) select.value = keep;
  };

  function fill(student, teacher) {
    const { pairs, prompts } = here();
    const index = pairOf(pairs, student, teacher);
    const several = new Set(pairs.map((p) => p[1])).size > 1;
    options(pair, pairs.map(([s, t], i) => [String(i), several ? `${s} ← ${t}` : s]), String(Math.max(0, index)));
    const kinds = [...new Set(prompts.map((p) => p.category).filter(Boolean))].sort();
    $("sample-graded").hidden = task.selectedOptions[0].dataset.graded === undefined;
    options(category, [["", "all"], ...kinds.map((k) => [k, k])], category.value);
    $("sample-category-label").hidden = kinds.length < 2;
    const at = Number(pair.value), count = (fits) => prompts.filter((p) => p.told[at] && fits(p.told[at])).length;
    const shown = Object.entries(SHOWN).map(([key, [words, fits]]) => [key, words, fits && count(fits)]).filter(([, , n]) => n !== 0);
    fillBeside();
    options(order, shown.map(([key, words, n]) => [key, n === undefined ? words : `${words} (${n})`]), order.value);
  }

  function rows() {
    const { prompts } = here(), at = Number(pair.value), wanted = search.value.trim().toLowerCase();
    const fitting = prompts.map((p, i) => ({ p, i, told: p.told[at] })).filter(({ p, told }) =>
      told && (!category.value || p.category === category.value) && p.text.toLowerCase().includes(wanted) && (SHOWN[order.value]?.[1]?.(told) ?? true));
    const key = { style: 1, difference: 2 }[order.value];
    return key ? fitting.sort((a, b) => b.told[key] - a.told[key] || a.i - b.i) : fitting;
  }

  function list(prompt) {
    const fitting = rows(), { total, prompts, samples } = here();
    const shown = samples > 1 ? ` Of up to ${samples} answers that a model gave to a prompt the first is shown.` : "";
    $("sample-count").textContent = `${prompts.length} of ${total} prompts are in this page; ${fitting.length} fit.${shown}`;
    const [student, teacher] = here().pairs[Number(pair.value)];
    $("sample-list").replaceChildren(...fitting.map(({ p, i, told }) => {
      const line = make("a", { href: `#${new URLSearchParams({ student, teacher, task: here().task, prompt: p.id })}` });
      writeText(line, p.text || "(empty prompt)");
      const facts = [p.category, told[0] ? "same mistake" : "", told[3].includes("t") ? "lost" : "", `style ${told[1].toFixed(2)}`, `differs ${told[2].toFixed(2)}`];
      line.append(make("small", { textContent: facts.filter(Boolean).join(" · ") }));
      line.dataset.index = i;
      line.addEventListener("click", (event) => {
        if (event.ctrlKey || event.metaKey || event.shiftKey) return; // in a tab of its own
        event.preventDefault();
        event.stopPropagation();
        open(i, true);
      });
      return make("li", {}, line);
    }));
    const asked = fitting.find(({ p }) => p.id === prompt) ?? fitting[0];
    if (asked) open(asked.i, false);
    else { opened = null; $("sample-open").replaceChildren(make("p", { className: "quiet", textContent: "No prompt fits these filters." })); }
  }

  async function open(index, byHand) {
    const now = here(), trio = now.pairs[Number(pair.value)];
    opened = index;
    all("a", $("sample-list")).forEach((b) => b.setAttribute("aria-current", Number(b.dataset.index) === index));
    const [at, place] = now.prompts[index].block;
    const block = JSON.parse(await inflate(now.blocks[at]))[place];
    if (opened !== index || here() !== now) return;
    const asked = make("div", { className: "asked text", dir: "auto" });
    writeText(asked, block.prompt);
    $("sample-open").replaceChildren(asked, panes(block.answers, trio));
    if (byHand) tellSample();
  }

  function tellSample() {
    const now = here(), [student, teacher] = now.pairs[Number(pair.value)];
    writeAddress({
      student, teacher, task: now.task, prompt: now.prompts[opened].id, show: order.value !== "chance" && order.value,
      beside: [...further].join(" | "), mark: marking.value !== "differences" && (marking.value || "nothing"),
    });
  }

  function panes(answers, [student, teacher, base]) {
    const told = answers[teacher], source = pieces(told?.text ?? "");
    const box = make("div", { className: "panes" });
    const versus = answers[student] ? common(pieces(answers[student].text), source) : null;
    const others = [...further].filter((model) => ![teacher, student, base].includes(model)).map((model) => ["student", model]);
    for (const [role, model] of [["teacher", teacher], ["student", student], ...others, ["base", base]]) {
      if (!model) continue;
      const answer = answers[model], text = make("div", { className: "text", dir: "auto" });
      const label = make("span", { className: `role role-${role}` }, make("span", { className: "dot" }), role);
      const pane = make("section", { className: "pane" }, make("h3", {}, label, model), text);
      pane.style.padding = "0";
      box.append(pane);
      if (!answer) { text.append(make("span", { className: "quiet", textContent: "no answer stored" })); continue; }
      const own = role === "teacher" ? source : pieces(answer.text);
      const match = [teacher, student].includes(model) ? versus : common(own, source);
      const inOwn = role === "teacher" ? match?.inB : match?.inA;
      if (marking.value === "markdown" && answer.text) { text.classList.add("markdown"); markdown(text, answer.text); }
      else if (!answer.text) text.append(make("span", { className: "quiet", textContent: "(empty answer)" }));
      else if (!match || !marking.value || (role === "teacher" && marking.value === "shared")) writeMarked(text, own, () => false, "");
      else if (marking.value === "shared") writeMarked(text, own, (i) => match.runs.has(i), "same");
      else writeMarked(text, own, (i) => /\S/.test(own[i]) && !inOwn.has(i), role === "teacher" ? "gone" : "");
      const facts = make("footer"), endings = { length: "cut by the token limit", "looks cut": "looks cut: a guess", "no full stop": "no full stop at its end" };
      if (answer.right !== null) facts.append(make("span", { className: answer.right ? "right-answer" : "wrong-answer", textContent: answer.right ? "✓ right" : "✗ wrong" }));
      const n = answer.text.match(/\S+/g)?.length ?? 0;
      const more = [`${n} word${n === 1 ? "" : "s"}`, endings[answer.ending === "cut" ? answer.stop : answer.ending] ?? (answer.ending ? "cut inside of a thought" : ""), answer.cut ? `${answer.cut} characters more in samples.parquet` : ""].filter(Boolean);
      if (more.length) facts.append(`${facts.childNodes.length ? " · " : ""}${more.join(" · ")}`);
      if (facts.childNodes.length) pane.append(facts);
      if (answer.stored !== undefined) {
        const stored = make("div", { className: "text", dir: "auto" });
        writeText(stored, answer.stored);
        pane.append(make("details", {}, make("summary", { textContent: "as stored: marks that measures do not see" }), stored));
      }
    }
    return box;
  }

  let chosen = [];
  task.addEventListener("change", () => { fill(...chosen); list(); });
  pair.addEventListener("change", () => { chosen = here().pairs[Number(pair.value)]; fill(...chosen); list(); });
  [order, category].forEach((s) => s.addEventListener("change", () => list()));
  search.addEventListener("input", () => list());
  marking.addEventListener("change", () => { if (opened !== null) open(opened, true); });
  // Further students, in panes of their own; those of the same teacher first.
  let further = new Set();
  function fillBeside() {
    const { pairs } = here(), [student, teacher] = pairs[Number(pair.value)];
    const every = [...pairs.filter(([, t]) => t === teacher), ...pairs].map(([s]) => s), names = [...new Set(every)].filter((name) => name !== student);
    further = new Set([...further].filter((name) => names.includes(name)));
    $("sample-beside").parentElement.hidden = !names.length;
    $("sample-beside").replaceChildren(...names.map((name) => {
      const box = make("input", { type: "checkbox", checked: further.has(name) });
      box.addEventListener("change", () => {
        further[box.checked ? "add" : "delete"](name);
        if (opened !== null) open(opened, true);
      });
      return make("label", {}, box, ` ${name}`);
    }));
  }

  // One prompt further or back: by button, and by key wherever nobody writes.
  function turn(step) {
    const lines = all("a", $("sample-list")), at = lines.findIndex((b) => b.getAttribute("aria-current") === "true");
    const next = lines[at + step];
    if (!next) return;
    open(Number(next.dataset.index), true);
    next.scrollIntoView({ block: "nearest" });
    if (lines.includes(document.activeElement)) next.focus({ preventScroll: true });
  }
  $("sample-before").addEventListener("click", () => turn(-1));
  $("sample-next").addEventListener("click", () => turn(1));
  $("sample-link").addEventListener("click", ({ target }) => {
    if (opened === null) return;
    tellSample();
    copy(target, location.href);
  });
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.closest?.("input, select, textarea")) return;
    const arrows = event.target.closest?.("#sample-list") ? { ArrowDown: 1, ArrowUp: -1 } : {};
    const step = { j: 1, k: -1, ...arrows }[event.key], there = $("samples").getBoundingClientRect();
    if (!step || there.bottom < 0 || there.top > innerHeight) return;
    event.preventDefault();
    turn(step);
  });

  // The task whose prompts here show most losses of a student against its teacher; -1 where none does.
  function mostLost(student, teacher) {
    const losses = tasks.map(({ pairs, prompts }) => {
      const at = student ? pairOf(pairs, student, teacher) : 0;
      return prompts.filter((p) => p.told[at]?.[3].includes("t")).length;
    });
    const most = Math.max(...losses);
    return most ? losses.indexOf(most) : -1;
  }
  function choose({ student, teacher, task: name, prompt, show, beside, mark }) {
    if (beside !== undefined) further = new Set(beside.split(" | "));
    if (mark !== undefined) marking.value = mark === "nothing" ? "" : mark;
    if (marking.selectedIndex < 0) marking.value = "differences";
    chosen = [student, teacher];
    const wanted = tasks.findIndex((t) => t.task === name);
    const holding = tasks.findIndex(({ pairs }) => pairOf(pairs, student, teacher) >= 0);
    if (wanted >= 0) task.value = String(wanted);
    else if (opened === null && !prompt && mostLost(student, teacher) >= 0) task.value = String(mostLost(student, teacher));
    else if (student && pairOf(here().pairs, student) < 0 && holding >= 0) task.value = String(holding);
    if (prompt) { category.value = ""; search.value = ""; }
    fill(student, teacher);
    if (prompt || show) order.value = show in SHOWN ? show : "chance";
    if (!order.value) order.value = "chance";
    list(prompt);
  }
  return { choose };
}
