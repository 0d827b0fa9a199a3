// Text of models: never parsed as HTML; control and direction characters are spelled out.
function writeText(node, text) {
  let from = 0;
  for (const match of text.matchAll(INVISIBLE)) {
    node.append(text.slice(from, match.index), make("span", { className: "spelled", textContent: spelled(match[0]) }));
    from = match.index + match[0].length;
  }
  node.append(text.slice(from));
}

// Markdown as it looks, made of nodes: no HTML is read, nothing is loaded, nothing can be clicked.
const DEEPEST = 5; // quotes in quotes, lists in lists
const INLINE = /`([^`\n]{1,500})`|\*\*([^*\n]{1,500})\*\*|__([^_\n]{1,500})__|(?<![\w*])\*([^*\s][^*\n]{0,500})\*|(?<!\w)_([^_\n]{1,500})_(?!\w)|~~([^~\n]{1,500})~~|(!?)\[([^\]\n]{0,300})\]\(([^)\s]{0,2000})[^)\n]{0,200}\)/g;
function inline(node, text, depth = 0) {
  let from = 0;
  const within = (tag, words) => { const part = make(tag); if (depth < 3) inline(part, words, depth + 1); else writeText(part, words); return part; };
  for (const match of text.matchAll(INLINE)) {
    const [whole, code, strong, strong2, em, em2, struck, image, words, url] = match;
    writeText(node, text.slice(from, match.index));
    from = match.index + whole.length;
    if (code !== undefined) { const part = make("code"); writeText(part, code); node.append(part); }
    else if (strong ?? strong2) node.append(within("strong", strong ?? strong2));
    else if (em ?? em2) node.append(within("em", em ?? em2));
    else if (struck) node.append(within("s", struck));
    else {
      const part = make("span", { className: image ? "image" : "link" }), at = make("small");
      writeText(part, image ? `image: ${words}` : words);
      writeText(at, ` (${url})`);
      node.append(part, at);
    }
  }
  writeText(node, text.slice(from));
}
const BULLET = /^(\s*)(?:[-*+\u2022]|(\d{1,9})[.)])\s+(.*)$/;
const RULE = /^ {0,3}([-*_])(?: *\1){2,} *$/, FENCE = /^ {0,3}(```+|~~~+)/, HEADING = /^ {0,3}#{1,6}\s+(.*)$/;
const cells = (line) => line.trim().replace(/^\||\|$/g, "").split("|").map((cell) => cell.trim());
const isTable = (lines, i) => lines[i].includes("|") && i + 1 < lines.length && lines[i + 1].includes("-") && /^[\s|:-]+$/.test(lines[i + 1]) && lines[i + 1].includes("|");
const begins = (lines, i) => FENCE.test(lines[i]) || HEADING.test(lines[i]) || RULE.test(lines[i]) || BULLET.test(lines[i]) || /^ {0,3}>/.test(lines[i]) || isTable(lines, i);
function markdown(node, text, depth = 0) {
  const lines = text.replaceAll("\r\n", "\n").split("\n");
  let i = 0;
  const taken = (fits) => { const own = []; while (i < lines.length && fits(lines[i])) own.push(lines[i++]); return own; };
  while (i < lines.length) {
    const line = lines[i];
    if (!line.trim()) { i++; continue; }
    const fence = line.match(FENCE);
    if (fence) {
      i++;
      const code = make("code"), own = taken((l) => !l.trimStart().startsWith(fence[1]));
      i++;
      writeText(code, own.join("\n"));
      node.append(make("pre", {}, code));
    } else if (RULE.test(line)) { node.append(make("hr")); i++; }
    else if (HEADING.test(line)) {
      const head = make("p", { className: "heading" });
      inline(head, line.match(HEADING)[1].trim().replace(/\s#+$/, "").trim());
      node.append(head);
      i++;
    } else if (/^ {0,3}>/.test(line) && depth < DEEPEST) {
      const quote = make("blockquote");
      markdown(quote, taken((l) => /^ {0,3}>/.test(l)).map((l) => l.replace(/^ {0,3}> ?/, "")).join("\n"), depth + 1);
      node.append(quote);
    } else if (BULLET.test(line) && depth < DEEPEST) node.append(listOf(taken((l) => BULLET.test(l) || /^\s+\S/.test(l)), depth));
    else if (isTable(lines, i)) node.append(tableOf(taken((l) => l.includes("|"))));
    else {
      const words = make("p"), own = [lines[i++]];
      while (i < lines.length && lines[i].trim() && !begins(lines, i)) own.push(lines[i++]);
      inline(words, own.join("\n"));
      node.append(words);
    }
  }
}
function listOf(lines, depth) {
  const [, indent, number] = lines[0].match(BULLET), list = make(number ? "ol" : "ul");
  if (number) list.start = Number(number);
  let own = [];
  const close = () => { if (!own.length) return; const item = make("li"); markdown(item, own.join("\n"), depth + 1); list.append(item); own = []; };
  for (const line of lines) {
    const bullet = line.match(BULLET);
    if (bullet && bullet[1].length <= indent.length) { close(); own = [bullet[3]]; }
    else own.push(line.slice(Math.min(line.search(/\S|$/), indent.length + 2)));
  }
  close();
  return list;
}
function tableOf(lines) {
  const row = (tag, line) => make("tr", {}, ...cells(line).map((words) => { const cell = make(tag); inline(cell, words); return cell; }));
  return make("table", {}, make("thead", {}, row("th", lines[0])), make("tbody", {}, ...lines.slice(2).map((line) => row("td", line))));
}
