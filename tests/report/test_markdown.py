"""Markdown of the sample browser: what it becomes, and that nothing of a model's text becomes markup."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from importlib.resources import files
from typing import Any

import pytest

from tests.report.browser import Browser
from tests.report.records import HOSTILE

pytestmark = pytest.mark.slow  # starts a browser
PAYLOADS = [
    *HOSTILE,
    "<b onclick=alert(1)>x</b>",
    "<svg/onload=alert(1)>",
    "<iframe src=javascript:alert(1)></iframe>",
    "<a href='javascript:alert(1)'>x</a>",
    "[click](javascript:alert(1))",
    "[click](JaVaScRiPt:alert(1) 'title')",
    "[click](data:text/html;base64,PHNjcmlwdD5hbGVydCgxKTwvc2NyaXB0Pg==)",
    "![pixel](https://tracker.example/a.png)",
    '![x](x" onerror=alert(1) y=")',
    "[![a](b)](javascript:alert(1))",
    "<https://a.example> and https://b.example",
    "`<script>alert(1)</script>`",
    "```html\n<script>alert(1)</script>\n```",
    "```\nnever closed <img src=x onerror=alert(1)>",
    "**<img src=x onerror=alert(1)>**",
    "# <script>alert(1)</script>",
    "> <style>*{display:none}</style>",
    "- <object data=x></object>\n- <embed src=x>",
    "| <td onload=x> | b |\n| --- | --- |\n| <script>1</script> | **y** |",
    "1. <form action=x><input></form>",
    "</div></section><h1>out</h1>",
    "<!-- comment --> <![CDATA[x]]> <?php 1 ?>",
    "&lt;script&gt; &#x3C;script&#x3E; &amp;",
    "[a]: javascript:alert(1)\n[a]",
    "[x](\u202ejs.tpircs) \u2066hidden\u2069",
    "**" * 3000,
    "[" * 6000 + "](" * 3000,
    "> " * 3000 + "deep",
    "".join(f"{' ' * i}- x\n" for i in range(400)),
    "| " * 3000 + "\n" + "|-" * 3000,
    "# " + "#" * 6000 + "x",
    "- " * 4000,
    "<math><mtext><table><mglyph><style><img src=x onerror=alert(1)>",
    "<template><script>alert(1)</script></template>",
    "<base href=//evil.example><meta http-equiv=refresh content=0>",
]
ALLOWED = {
    "blockquote", "code", "em", "hr", "li", "ol", "p", "pre", "s", "small", "span", "strong",
    "table", "tbody", "td", "th", "thead", "tr", "ul",
}  # fmt: skip
LOOK = """(texts) => texts.map((text) => {
  const box = document.createElement("div"), before = performance.now();
  document.body.append(box);
  markdown(box, text);
  const nodes = [...box.querySelectorAll("*")];
  const told = { tags: [...new Set(nodes.map((n) => n.localName))], words: box.textContent,
    html: box.innerHTML, ms: performance.now() - before,
    attributes: [...new Set(nodes.flatMap((n) => n.getAttributeNames()))] };
  box.remove();
  return told;
})"""


@pytest.fixture(scope="module")
def shown(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[list[str]], Any]]:
    """What texts become, in a page of their own that would run what they hold."""
    scripts = files("harness.page").joinpath("scripts")
    first = scripts.joinpath("1_page.js").read_text("utf-8").split("async function")[0]
    code = f"{first}\n{scripts.joinpath('4_text.js').read_text('utf-8')}"
    with Browser(tmp_path_factory.mktemp("profile")) as browser:
        session = browser.open("about:blank")
        browser.value(session, "window.alert = () => { window.hit = true; };0")

        def look(texts: list[str]) -> Any:
            """One record for each text."""
            told = browser.value(
                session, f"(() => {{{code}\nreturn ({LOOK})({json.dumps(texts)})}})()"
            )
            assert browser.value(session, "window.hit === undefined")
            return told

        yield look


def test_no_text_of_a_model_becomes_markup(shown: Callable[[list[str]], Any]) -> None:
    assert len(PAYLOADS) >= 33
    for text, told in zip(PAYLOADS, shown(PAYLOADS), strict=True):
        assert set(told["tags"]) <= ALLOWED, text[:80]
        assert set(told["attributes"]) <= {"class", "start"}, text[:80]
        assert told["ms"] < 1000, text[:80]


def test_words_stay_and_hidden_characters_are_spelled_out(
    shown: Callable[[list[str]], Any],
) -> None:
    script, hidden, fence = shown(["<b>x</b> & y", "a\u202eb", "```py\nx  =  1\n\ny\n```\nafter"])
    assert script["words"] == "<b>x</b> & y"
    assert hidden["words"] == "a\u27e6U+202E\u27e7b"
    assert fence["html"] == "<pre><code>x  =  1\n\ny</code></pre><p>after</p>"


@pytest.mark.parametrize(
    ("text", "html"),
    [
        ("a **b** *c* `d*e*`", "<p>a <strong>b</strong> <em>c</em> <code>d*e*</code></p>"),
        ("# Head #\ntext\nmore", '<p class="heading">Head</p><p>text\nmore</p>'),
        (
            "- a\n- b\n  - c\n\n1. d",
            "<ul><li><p>a</p></li><li><p>b</p><ul><li><p>c</p></li></ul></li></ul>"
            '<ol start="1"><li><p>d</p></li></ol>',
        ),
        ("3) x", '<ol start="3"><li><p>x</p></li></ol>'),
        ("> q\n> r\n\n---", "<blockquote><p>q\nr</p></blockquote><hr>"),
        (
            "|a|b|\n|-|:-:|\n|1|**2**|",
            "<table><thead><tr><th>a</th><th>b</th></tr></thead>"
            "<tbody><tr><td>1</td><td><strong>2</strong></td></tr></tbody></table>",
        ),
        ("[a](http://x.y/z)", '<p><span class="link">a</span><small> (http://x.y/z)</small></p>'),
        ("2 * 3 * 4 and snake_case_name", "<p>2 * 3 * 4 and snake_case_name</p>"),
    ],
)  # fmt: skip
def test_markdown_looks_as_it_should(
    shown: Callable[[list[str]], Any], text: str, html: str
) -> None:
    assert shown([text])[0]["html"] == html
