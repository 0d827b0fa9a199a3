"""A document as Markdown and as one offline HTML file without scripts."""

from __future__ import annotations

from collections.abc import Iterator

from markupsafe import Markup, escape

from harness.board.exhibit import Document, Items, Said, Words
from harness.board.tables import DASH, Cell, Table
from harness.console.invisible import spelled_out

_ESCAPED = str.maketrans({c: f"\\{c}" for c in "\\`*_[]<>|#"} | {"\n": " ", "\r": " "})
_STYLE = """
body { max-width: 72rem; margin: 2rem auto; padding: 0 1.5rem; color: #1a1d21; background: #fff;
  font: 16px/1.55 system-ui, "Segoe UI", Roboto, "Liberation Sans", Arial, sans-serif; }
h1 { font-size: 1.5rem; } h2 { font-size: 1.2rem; margin-top: 2.2rem; border-bottom: 1px solid #c9cdd1; }
.scroll { overflow-x: auto; margin: 1rem 0; }
nav { font-size: .9rem; } a { color: #00629b; }
table { border-collapse: collapse; font-size: .88rem; }
th, td { text-align: left; vertical-align: top; padding: .25rem .7rem; border-bottom: 1px solid #e3e5e7; }
.num { text-align: right; font-variant-numeric: tabular-nums; }
small { color: #59626c; display: block; font-weight: normal; }
code { font: .85em ui-monospace, Menlo, Consolas, "Liberation Mono", monospace; overflow-wrap: anywhere; }
""".strip()
_POLICY = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'"


def markdown(document: Document, digest: str) -> str:
    """The document for a repository or an editor; the digest of the manifest stands in its last line."""
    lines = [f"# {escaped(document.title)}", ""]
    for section in document.sections:
        lines += [f"## {section.heading}", ""]
        for block in section.blocks:
            lines += [*_markdown_block(block), ""]
    return "\n".join([*lines, f"{document.digest_words}: {digest}", ""])


def html(document: Document, digest: str) -> str:
    """The document for a browser; the digest of the manifest stands in its last lines."""
    title = _text(document.title)
    parts = [
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">',
        f'<meta http-equiv="Content-Security-Policy" content="{_POLICY}">',
        f"<title>{title}</title>\n<style>\n{_STYLE}\n</style></head>\n<body>\n<h1>{title}</h1>",
    ]
    places = [(f"part-{i}", section) for i, section in enumerate(document.sections, start=1)]
    links = (f'<a href="#{place}">{_text(s.heading)}</a>' for place, s in places)
    parts.append(f"<nav>{' · '.join(links)}</nav>")
    for place, section in places:
        parts.append(f'<h2 id="{place}">{_text(section.heading)}</h2>')
        parts += [line for block in section.blocks for line in _html_block(block)]
    parts.append(f"<p>{_text(document.digest_words)}: <code>{_text(digest)}</code></p>")
    return "\n".join([*parts, "</body></html>", ""])


def escaped(text: str) -> str:
    """Text that Markdown shows as it is."""
    return spelled_out(text).translate(_ESCAPED)


def _markdown_block(block: Said | Items | Words | Table) -> Iterator[str]:
    match block:
        case Said(parts):
            yield "".join(
                _strong(escaped(text)) if is_strong else escaped(text) for text, is_strong in parts
            )
        case Items(lines):
            yield from (f"- {escaped(line)}" for line in lines)
        case Words(what, words):
            yield f"{escaped(what)}:\n\n    {spelled_out(words)}"
        case Table(heads, rows):
            yield _row([escaped(f"{h.name} ({h.note})" if h.note else h.name) for h in heads])
            yield _row(["---:" if h.numeric else "---" for h in heads])
            yield from (_row([_markdown_cell(cell) for cell in row]) for row in rows)


def _strong(text: str) -> str:
    """Text in bold; Markdown wants the asterisks next to the words."""
    return f"**{text.strip()}**{' ' if text.endswith(' ') else ''}" if text.strip() else text


def _markdown_cell(cell: Cell) -> str:
    text = escaped(" ".join(filter(None, [cell.text, cell.interval, _reason(cell)])))
    return f"**{text}**" if cell.leads else text


def _row(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _reason(cell: Cell) -> str:
    """Why a place is empty: a document has nothing to point at."""
    return f"({cell.note})" if cell.text == DASH and cell.note else ""


def _html_block(block: Said | Items | Words | Table) -> Iterator[str]:
    match block:
        case Said(parts):
            texts = (
                f"<strong>{_text(t)}</strong>" if is_strong else _text(t) for t, is_strong in parts
            )
            yield f"<p>{''.join(texts)}</p>"
        case Items(lines):
            yield "<ul>" + "\n".join(f"<li>{_text(line)}</li>" for line in lines) + "</ul>"
        case Words(what, words):
            yield f"<p>{_text(what)}: <code>{_text(words)}</code></p>"
        case Table():
            yield from _html_table(block)


def _html_table(table: Table) -> Iterator[str]:
    kinds = [' class="num"' if h.numeric else "" for h in table.heads]
    yield '<div class="scroll"><table><thead><tr>'
    for head, kind in zip(table.heads, kinds, strict=True):
        note = f"<small>{_text(head.note)}</small>" if head.note else ""
        yield f'<th scope="col"{kind}>{_text(head.name)}{note}</th>'
    yield "</tr></thead><tbody>"
    for row in table.rows:
        cells = (f"<td{kind}>{_html_cell(c)}</td>" for c, kind in zip(row, kinds, strict=True))
        yield f"<tr>{''.join(cells)}</tr>"
    yield "</tbody></table></div>"


def _html_cell(cell: Cell) -> str:
    text = f"<strong>{_text(cell.text)}</strong>" if cell.leads else _text(cell.text)
    notes = (f"<small>{_text(note)}</small>" for note in (cell.interval, _reason(cell)) if note)
    return f"{text}{''.join(notes)}"


def _text(text: str) -> Markup:
    return escape(spelled_out(text))
