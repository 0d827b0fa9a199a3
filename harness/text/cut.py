"""Whether a reply is complete: from what is known of its end, else a guess from its text alone."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# share of a model's answers above which lengths and endings are those of the limit of tokens
MOST_CUT = 0.2

Ending = Literal["complete", "cut", "looks cut"]

_FENCE = re.compile(r"^\s*(?:```|~~~)", re.MULTILINE)
# what may stand behind the end of a sentence: quotes, brackets, emphasis
_BEHIND = "\"'”’»›」』)]}*_~`"
_ENDS = ".!?…。！？｡؟۔।॥"
# a reply that ends here goes on: no sentence, line or list ends with these
_GOES_ON = re.compile(r"(?:[,，、;(\[{–—=+/&\\]|\s-|[^\s:]:|\w-)$")
# English words behind which something has to follow
_DANGLING = frozenset(
    re.findall(
        r"\w+",
        "a an the and or but nor of to in on at by for with from as into onto than that which who whose is are "
        "was were be been being has have had will would can could may might must shall should its their his her "
        "our your my this these those such if because while when where although though very more most not no so",
    )
)
_ITEM = re.compile(r"^\s*(?:[-*+•‣◦]|\(?\d{1,3}[.):]|\(?[a-zA-Z][.)])\s+")
_EMPTY_ITEM = re.compile(r"^\s*(?:[-*+•‣◦]|\d{1,3}[.)])\s*$")
_LAST = re.compile(r"(?:^|\s)([a-zA-Z]+)$")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SHORT = 8  # words of a line that may stand without an end: a title, a name, a signature, an answer


@dataclass(frozen=True)
class Endings:
    """How the replies of one model to one task ended."""

    n: int  # replies, one a prompt
    n_cut: int  # that ended at the limit of tokens, or inside of what the model thought aloud
    n_looks_cut: int  # whose end is not known, and whose text looks as if it went on
    n_wrong: int | None = (
        None  # graded answers that are wrong; None = not graded by right and wrong
    )
    n_wrong_cut: int | None = None  # of these, cut or looking cut

    @property
    def n_short(self) -> int:
        """Replies that end before they are complete, as far as can be told."""
        return self.n_cut + self.n_looks_cut

    @property
    def share(self) -> float:
        """These, of all replies."""
        return self.n_short / self.n if self.n else 0.0


def ending(text: str, stop: str, *, is_open: bool = False) -> Ending:
    """How a reply ended: its stop says so ("eos", "length", "stop"), else ("unknown") its text is looked at.

    is_open: what the model thought aloud has no end, so that the reply never came.
    """
    if stop == "length" or is_open:
        return "cut"
    if stop in ("eos", "stop"):
        return "complete"
    return "looks cut" if looks_cut(text) else "complete"


def looks_cut(text: str) -> bool:
    """Whether a reply ends where no complete one does.

    An open block of code, or an end inside a sentence, is a cut; a list whose items have no full stops, a table,
    code, a title, a signature or an answer of a few words is not. Of complete replies of real models about one in a
    hundred is taken for cut.
    """
    bare = text.rstrip()
    if not bare:
        return False
    if len(_FENCE.findall(bare)) % 2:
        return True
    line = bare.rsplit("\n", 1)[-1]
    end = line.rstrip(_BEHIND).rstrip() or line
    if _GOES_ON.search(end) and not _is_address_or_field(end, bare):
        return True
    if _EMPTY_ITEM.match(line):
        return True
    last = end[-1]
    if last in _ENDS or not (last.isalnum()):
        return False
    words = _WORD.findall(end)
    word = _LAST.search(line)  # neither N/A nor Moon Jae-in
    if word and word[1].lower() in _DANGLING and (len(words) > 1 or "\n" in bare):
        return True
    return not _may_stand_open(line, bare.split("\n"), words)


def _is_address_or_field(end: str, bare: str) -> bool:
    """Whether a slash ends an address, or a colon one of several empty fields of a form."""
    if end.endswith("/"):
        return "://" in end.split()[-1]
    return end.endswith(":") and bare.count(":\n") > 1


def _may_stand_open(line: str, lines: Sequence[str], words: Sequence[str]) -> bool:
    """Whether a line that ends in a letter or a digit may be the last one."""
    if line.lstrip().startswith(("|", "#", ">")) or line != line.rstrip(_BEHIND) or "#" in line:
        return True
    others = [x.rstrip() for x in lines[:-1] if x.strip()]
    if not others:
        return len(words) <= _SHORT
    if is_item := bool(_ITEM.match(line)):
        others = [x for x in others if _ITEM.match(x)]
    # lines like it that are over without a full stop: verses, lists, addresses
    n_open = sum(x[-1].isalnum() for x in others)
    if others and n_open >= 0.5 * len(others):
        return True
    if is_item and len(others) > 1:
        return False
    # a signature, a title, a name: few words, and capital letters or numbers
    return len(words) <= _SHORT and (len(words) < 3 or all(w[0].isupper() for w in words[-2:]))
