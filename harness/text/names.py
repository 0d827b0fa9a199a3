"""Names of assistants and their makers, and which of them an answer claims for itself."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

_LATIN = "A-Za-zÀ-ɏ"
_CLAUSE = re.compile(
    r"[.,;:!?\n。，；：！？、।؛،؟()]|\b(?:but|and|sondern|aber|mais|sino|pero|mas|ma|но|а)\b|而是|بل|लेकिन|बल्कि",
    re.IGNORECASE,
)
_DENIED_BEFORE = re.compile(
    r"\b(?:not|never|neither|nor|nicht|keine?|pas|no (?:soy|me llamo)|não|non|не)\b|n['’]t\b|不是|并非|不叫|لست|ليس"
    r"|\b(?:(?:un)?like|similar to|other than|rather than|instead of)\s*$",
    re.IGNORECASE,
)
_DENIED_AFTER = re.compile(r"नहीं|ではありません|ではない|じゃない|아니|아닙|değil", re.IGNORECASE)
_TURKISH = str.maketrans("İı", "ii")


@dataclass(frozen=True)
class Names:
    """A table of names; an alias in lower case matches in any case, others only as written."""

    rows: tuple[tuple[str, str], ...]  # (name, alias)

    def with_names(self, names: Iterable[str]) -> Names:
        """The table with unknown names added, each as its own alias."""
        missing = [n for n in dict.fromkeys(names) if not self.mentioned(n)]
        return Names((*self.rows, *((n, n) for n in missing))) if missing else self

    def mentioned(self, text: str) -> frozenset[str]:
        """All names that occur in a text."""
        return frozenset(name for name, _ in self._matches(_normal(text)))

    def claimed(self, text: str) -> frozenset[str]:
        """Names that occur in an answer and are not denied in the same clause ("I am not ...")."""
        if text not in self._claimed:
            plain = _normal(text)
            asserted = (name for name, match in self._matches(plain) if not _denied(plain, match))
            self._claimed[text] = frozenset(asserted)
        return self._claimed[text]

    @cached_property
    def _claimed(self) -> dict[str, frozenset[str]]:
        """What was claimed in the texts that were looked at: a control's are, once for every student."""
        return {}

    def _matches(self, plain: str) -> list[tuple[str, re.Match[str]]]:
        folded = _folded(plain)
        # the longest first: it names the most; a pattern of all of them takes a hundred times as long
        occurring = [alias for alias, key in self._aliases if key in folded]
        if not occurring:
            return []
        pattern = re.compile("|".join(map(_expression, occurring)))
        return [(self._name(match.group()), match) for match in pattern.finditer(plain)]

    def _name(self, written: str) -> str:
        return self._by_alias.get(written) or self._by_alias[_folded(written)]

    @cached_property
    def _by_alias(self) -> Mapping[str, str]:
        """Alias -> name; what matches in any case stands under its folded spelling too."""
        table: dict[str, str] = {}
        for name, alias in self.rows:
            plain = _normal(alias)
            table[plain] = name
            if plain == plain.casefold():
                table[_folded(plain)] = name
        return table

    @cached_property
    def _aliases(self) -> Sequence[tuple[str, str]]:
        """(alias, its folded spelling), the longest first."""
        plain = {_normal(alias) for _, alias in self.rows}
        return [(a, _folded(a)) for a in sorted(plain, key=lambda a: (-len(a), a))]


def _expression(alias: str) -> str:
    """A pattern for an alias: whole words in Latin letters; other scripts attach particles or have no spaces."""
    before = f"(?<![{_LATIN}])" if re.match(f"[{_LATIN}]", alias) else ""
    after = f"(?![{_LATIN}])" if re.search(f"[{_LATIN}]$", alias) else ""
    body = re.escape(alias)
    return f"{before}{f'(?i:{body})' if alias == alias.casefold() else body}{after}"


def _denied(plain: str, match: re.Match[str]) -> bool:
    before = _CLAUSE.split(plain[max(0, match.start() - 200) : match.start()])[-1]
    after = _CLAUSE.split(plain[match.end() : match.end() + 40])[0]
    return bool(_DENIED_BEFORE.search(before) or _DENIED_AFTER.search(after))


def _normal(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


def _folded(text: str) -> str:
    """Without case as `re.IGNORECASE` compares: a Turkish I with or without its dot is an i."""
    return text.translate(_TURKISH).casefold()
