"""How large the package is: tokens without comments, docstrings, line ends and indents, a statement's mean, by folder.

python tests/sizes.py [FOLDER]      harness by default
"""

from __future__ import annotations

import ast
import io
import sys
import tokenize
from collections import Counter
from pathlib import Path

IGNORED = {
    tokenize.COMMENT,
    tokenize.NL,
    tokenize.NEWLINE,
    tokenize.INDENT,
    tokenize.DEDENT,
    tokenize.ENDMARKER,
}
DOCUMENTED = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)


def main(root: Path) -> None:
    """Prints a line for every folder, and the sum."""
    tokens, statements = Counter[str](), Counter[str]()
    for path in sorted(root.rglob("*.py")):
        text, folder = path.read_text(), path.relative_to(root).parts[0]
        tree = ast.parse(text)
        docstrings = set(docstring_lines(tree))
        every = sum(isinstance(node, ast.stmt) for node in ast.walk(tree))
        statements[folder] += every - len(docstrings)
        tokens[folder] += sum(
            t.type not in IGNORED and not (t.type == tokenize.STRING and t.start[0] in docstrings)
            for t in tokenize.generate_tokens(io.StringIO(text).readline)
        )
    for folder, n in sorted(tokens.items(), key=lambda item: -item[1]):
        print(f"{n:8,} {n / max(statements[folder], 1):6.1f}  {folder}")
    total, count = sum(tokens.values()), sum(statements.values())
    print(
        f"{total:8,} {total / count:6.1f}  tokens, and tokens a statement, of {count:,} statements"
    )


def docstring_lines(tree: ast.Module) -> list[int]:
    """First lines of all docstrings."""
    return [
        node.body[0].lineno
        for node in ast.walk(tree)
        if isinstance(node, DOCUMENTED) and ast.get_docstring(node) is not None
    ]


if __name__ == "__main__":
    main(Path(sys.argv[1] if sys.argv[1:] else Path(__file__).resolve().parents[1] / "harness"))
