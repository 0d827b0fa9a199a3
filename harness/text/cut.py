"""Whether a reply is complete: from what is known of its end, else a guess from its text alone."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

# share of a model's answers above which lengths and endings are those of the limit of tokens
MOST_CUT = 0.2

# "looks cut" is a guess from the text; "no full stop" is how a model writes, as far as can be told
Ending = Literal["complete", "cut", "looks cut", "no full stop"]

# Of replies that look cut, the least share that ends where no reply of anybody ends, behind "the" or a comma, for
# the others to be believed. Seen in AlpacaEval: .34 to .49 of replies cut at 40 words; at most .04 of whole ones
# whose last full stop was taken away.
_LEAST_GOING_ON = 0.1

# a line that opens or closes a block of code; ```x``` on one line is none
_FENCE = re.compile(r"^[ \t]*(?:`{3,}+(?!.*```)|~{3,}+(?!.*~~~))", re.MULTILINE)
_OPEN_MATH = re.compile(r"^[ \t]*\\\[(?:(?!\\\]).)*\Z", re.MULTILINE | re.DOTALL)
# what may stand behind the end of a sentence: quotes and emphasis
_QUOTES = "\"'”’»›」』*_~"
_ENDS = ".!?…。．！？｡؟۔।॥።။།։។៕"
# a reply that ends here goes on: no sentence, line or list ends with these
_GOES_ON = re.compile(
    r"(?:[,，、،፣;；؛(（\[【{「『《“„–—=/&\\]|(?:^|\s)[-+]|[^\s:]:|[^\s：]：|\w\w-)$"
)
_SMILEY = re.compile(
    r"(?:[:;]['’]?-?\(+|(?:^|\s)(?:[:;]['’]?-?[/\\\[|DPpOo3]|[xX]D+|</?3|\^_\^|[oO]_[oO]))$"
)
_ADDRESS = re.compile(r"(?:\w+://|\bwww\.)\S*[\w/#%~]$|[\w.+-]+@[\w-]+(?:\.[\w-]+)+$")
_OF_ADDRESSES = ("://", "www.", "@")
_BASE64 = re.compile(r"(?:^|[\s\"'])(?:[A-Za-z0-9+/]{4})+(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)$")
# how statements of C, Java, JavaScript or SQL begin, which end in a semicolon
_STATEMENT = re.compile(r"\s*(?:[A-Z]{4,}|return|break|continue|import|using|package)\b")
_CODE = (")", "]", "}", '"', "'")
_RETURN = re.compile(r"^\s+(?:return|yield|raise)\b")
# English words behind which something has to follow
_DANGLING = frozenset(
    re.findall(
        r"\w+",
        "a an the and or but nor of into onto than its their our your my whose if because although",
    )
)
# and those that may also end an answer of a few words: "Yes, it is", "Turn it on", "The first one that I had"
_SELDOM_LAST = frozenset(
    re.findall(
        r"\w+",
        "to in on at by for with from as that which who is are was were be been being has have had will would can "
        "could may might must shall should his her this these those such while when where though very more most not",
    )
)
_BULLETS = "-*+•‣◦"
_ITEM = re.compile(rf"^\s*(?:[{_BULLETS}]|\(?\d{{1,3}}[.):]|\(?[a-zA-Z][.)])\s+")
_NUMBERED = re.compile(r"^\s*(\d{1,3})[.)]\s*$")
_LAST = re.compile(r"(?:^|\s)([a-zA-Z]+)$")
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]+)?")
_SHORT = 8  # words of a line that may stand without an end: a title, a name, a signature, an answer
_MARK = 4  # characters at the end that hold the longest mark of going on, or a choice
_TAIL = 200  # characters of a line that are looked at for what ends it
_LONG = 15  # characters of a line of Chinese or Japanese that is no longer one of these
# a result at the end of a line: "we get 5 + 7 = 12", "the speed is about 3.0 × 10^8 m/s"
_NUMBER = r"[-+−$€£¥]?\d(?:[\d.,/:^×*%°\s-]*\d)?\s?%?(?:\s?[^\W\d]+(?:/[^\W\d]+)?[²³]?)?"
_RESULT = re.compile(
    r"(?:[=≈→⇒:]|\b(?:is|are|equals?|equal to|get|gives?|makes?|has|have))\s*"
    r"(?:(?:about|approximately|roughly|exactly)\s*)?"
    rf"{_NUMBER}$"
)
# "the correct answer is Paris"
_ANSWER = re.compile(
    r"\b(?:answer|result|solution|verdict|rating|score|label)\b[^.!?]{0,30}?(?:\bis\b|[:=])\W*\w[^.!?]{0,40}$",
    re.IGNORECASE,
)
_CHOICE = re.compile(r"(?:^|[\s*(])[A-HJ-Z]$")  # an option, a grade, a vitamin; not "I"
_STOPPED = re.compile(rf"[^\W\d][{re.escape(_ENDS)}](?:\s|$)|[。！？｡।॥]")
_UNSPACED = ("CJK", "HIRAGANA", "KATAKANA")
_WITHOUT_STOPS = ("THAI", "LAO")
_ALWAYS_STOPPED = ("LATIN", "GREEK", "CYRILLIC", "DIGIT")


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
    n_no_stop: int = 0  # that end without a full stop, as the model writes

    @property
    def n_short(self) -> int:
        """Replies that end before they are complete, as far as can be told."""
        return self.n_cut + self.n_looks_cut

    @property
    def share(self) -> float:
        """These, of all replies."""
        return self.n_short / self.n if self.n else 0.0


def ending(text: str, stop: str, *, is_open: bool = False) -> Ending:
    """How a reply ended: its stop says so ("eos", "length", "stop", "content_filter"), else its text is looked at.

    is_open: what the model thought aloud has no end, so that the reply never came. "no full stop" is for `settle`
    to judge, which sees the model's other replies.
    """
    if stop in ("length", "content_filter") or is_open:
        return "cut"
    if stop in ("eos", "stop"):
        return "complete"
    return _look(text)


def settle(endings: Sequence[Ending]) -> list[Ending]:
    """What the endings (n,) of one model's replies to a task are, seen together.

    A reply without a full stop at its end looks cut, unless more than one in five of the model's replies look so
    and hardly any of these ends where nobody stops writing: then that is how the model writes.
    """
    n_going_on, n_open = endings.count("looks cut"), endings.count("no full stop")
    n = n_going_on + n_open
    if n > MOST_CUT * len(endings) and n_going_on < _LEAST_GOING_ON * n:
        return list(endings)
    return ["looks cut" if end == "no full stop" else end for end in endings]


def looks_cut(text: str) -> bool:
    """Whether a reply ends where hardly any complete one does.

    An open block of code, or an end inside a sentence, is a cut; a list whose items have no full stops, a table,
    code, a title, a signature, a result or an answer of a few words is not. Nothing is guessed of scripts without
    full stops. Of the 4830 replies of six models to
    AlpacaEval, some of which are cut, it takes 0.5 to 2 % of a model's for cut.
    """
    return _look(text) != "complete"


def _look(text: str) -> Ending:
    """How a reply ends by its text: where nobody stops writing, without a full stop, or completely."""
    bare = text.rstrip()
    if not bare:
        return "complete"
    if _has_open_block(bare) or ("\\[" in bare and _OPEN_MATH.search(bare)):
        return "looks cut"
    line = bare.rsplit("\n", 1)[-1]
    end = line.rstrip(_QUOTES).rstrip() or line
    if _is_empty_item(line, bare):
        return "looks cut"
    tail = end[-_TAIL:]
    has_address = any(sign in tail for sign in _OF_ADDRESSES) and _ADDRESS.search(tail)
    if has_address or _SMILEY.search(tail):
        return "complete"
    if _GOES_ON.search(end[-_MARK:]):
        return "complete" if _may_end_so(end, bare) else "looks cut"
    last = _base(end)
    if (
        end[-1] in _ENDS
        or not last.isalnum()
        or _CHOICE.search(end[-_MARK:])
        or _RETURN.search(line)
    ):
        return "complete"
    words = _WORD.findall(end)
    if _dangles(line, words, bare):
        return "looks cut"
    return "complete" if _may_stand_open(line, bare.split("\n"), words) else "no full stop"


def _has_open_block(bare: str) -> bool:
    """Whether a block of code has no end; one may also end behind its last line of code."""
    if not ("```" in bare or "~~~" in bare) or not len(_FENCE.findall(bare)) % 2:
        return False
    return not (bare.endswith("```") and bare.count("```") % 2 == 0)


def _is_empty_item(line: str, bare: str) -> bool:
    """Whether a last line is the mark of an item alone: a bullet, or the number that follows the one before."""
    others = bare.split("\n")[:-1]
    if line.strip() in tuple(_BULLETS):
        return bool(others)
    if not (number := _NUMBERED.match(line)):
        return False
    n = int(number[1])
    if n == 1:
        return next((x.rstrip().endswith(":") for x in reversed(others) if x.strip()), False)
    return any(re.match(rf"\s*{n - 1}[.)]\s", x) for x in others)


def _may_end_so(end: str, bare: str) -> bool:
    """Whether a colon ends one of several empty fields of a form, or a sign belongs to code."""
    if end.endswith(":"):
        return bare.count(":\n") > 1
    if end.endswith(";"):
        return bool(
            any(sign in end for sign in ("=", "<<", "->", "::"))
            or _STATEMENT.match(end)
            or end[:-1].rstrip().endswith(_CODE)
        )
    return bool(_BASE64.search(end[-_TAIL:]))


def _base(end: str) -> str:
    """The last character of a text that is not a vowel sign, accent or other mark on the one before."""
    return next((c for c in reversed(end) if unicodedata.category(c) not in ("Mn", "Mc")), end[-1])


def _dangles(line: str, words: Sequence[str], bare: str) -> bool:
    """Whether a line ends in a word behind which something has to follow; capitals are names: OR, vitamin A."""
    word = _LAST.search(line)  # neither N/A nor Moon Jae-in
    if word is None or (len(words) < 2 and "\n" not in bare):
        return False
    opens = word[1][0].isupper() and len(words) == 1
    last = word[1].lower() if opens and len(word[1]) > 1 else word[1]
    if last in _DANGLING:
        return True
    return last in _SELDOM_LAST and (
        len(words) > _SHORT or ("\n" in bare and words[0].lower() not in ("yes", "no"))
    )


def _may_stand_open(line: str, lines: Sequence[str], words: Sequence[str]) -> bool:
    """Whether a line that ends in a letter or a digit may be the last one."""
    if line.lstrip().startswith(("|", "#", ">")) or line != line.rstrip(_QUOTES) or "#" in line:
        return True
    if _RESULT.search(line[-_TAIL:]) or _ANSWER.search(line[-_TAIL:]):
        return True
    others = [x.rstrip() for x in lines[:-1] if x.strip()]
    script = unicodedata.name(_base(line), "").split(" ")[0]
    if script in _WITHOUT_STOPS or (
        script not in _ALWAYS_STOPPED and not _STOPPED.search("\n".join([*others, line]))
    ):
        return True
    is_unspaced = script in _UNSPACED
    if is_unspaced and re.search(r"[。！？｡]", line):
        return False
    if not others:
        return is_unspaced or len(words) <= _SHORT
    if is_item := bool(_ITEM.match(line)):
        others = [x for x in others if _ITEM.match(x)]
    # lines like it that are over without a full stop: verses, lists, addresses
    n_open = sum(_base(x).isalnum() for x in others)
    if others and n_open >= 0.5 * len(others):
        return True
    if is_item and len(others) > 1:
        return False
    if is_unspaced:
        return len(line) <= _LONG and not re.search("[，、]", line)
    # a signature, a title, a name: few words, and capital letters or numbers
    return len(words) <= _SHORT and (len(words) < 3 or all(w[0].isupper() for w in words[-2:]))
