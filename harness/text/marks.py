"""Marks: what stands in the replies of one model that a program may have left there. Counted, and never cut."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from harness.keys import parse_json
from harness.text.clean import clean
from harness.text.thoughts import Tags

_LONGEST = 80  # characters of a shared beginning or end
_SHARED = 0.2  # share of replies from which a beginning or an end is counted
_SPECIAL = re.compile(
    r"<\|[^<>|\s]{1,40}\|>|<｜[^<>｜\s]{1,40}｜>|\[/?INST\]|<</?SYS>>|<(?:start|end)_of_turn>"
    r"|<(?:bos|eos|pad|unk)>|\[(?:PAD|UNK|CLS|SEP|MASK|gMASK)\]|<0x[0-9A-F]{2}>|\A\s*<s>|[ĠĊ](?=\w)"
)
_SPECIAL_BEGIN = "<[ĠĊ"  # with one of these; most replies hold none, which is seen in no time
_ENTITY = re.compile(r"&(?:amp|lt|gt|quot|apos|nbsp|#\d{1,6}|#[xX][0-9a-fA-F]{1,5});")
_ROLE = re.compile(
    r"^(?:#{2,3} ?)?(?:Human|User|Assistant|HUMAN|USER|ASSISTANT|Instruction|Input|Response) ?:",
    re.MULTILINE,
)
_SHORTEST_ECHO = 10  # characters of a prompt: a reply may begin with the one word that was asked
_NEEDS_ENTITY = re.compile(r"[<>]|&(?!\w{1,8};|#\w{1,7};)")


@dataclass(frozen=True)
class Counted:
    """A text, and how many replies have it."""

    n: int = 0
    text: str = ""


@dataclass(frozen=True)
class Marks:
    """What a program may have left in the replies of one model to one task."""

    n: int  # replies, one a prompt
    n_empty: int  # of nothing but white space
    n_thought: int  # before which the model thought aloud, which is left out
    repeated: Counted  # the commonest reply that says something; n = different prompts
    ends: Counted  # behind which end tokens were cut; the commonest token
    special: Counted  # with special tokens in them; the commonest token
    entities: Counted  # with HTML entities, and no character that HTML would need one for
    quoted: Counted  # spelt as a string of JSON; the beginning of one
    roles: Counted  # with a line that begins with the mark of a role; the commonest
    echoed: Counted  # that begin with their own prompt; the beginning of one
    # Texts with which at least a fifth of the replies that say something begin or end, each the
    # longest of its n.
    beginnings: tuple[Counted, ...] = ()
    endings: tuple[Counted, ...] = ()

    @property
    def n_said(self) -> int:
        """Replies that say something."""
        return self.n - self.n_empty


def read_marks(stored: Sequence[str], asked: Sequence[str], think: Tags = ()) -> Marks:
    """The marks of one model's stored answers (N) to prompts (N); think: tags as in `clean`."""
    replies = [clean(text, think) for text in stored]
    said = [r.text for r in replies if r.text.strip()]
    pairs = [(r.text.strip(), prompt) for r, prompt in zip(replies, asked, strict=True)]
    return Marks(
        n=len(replies),
        n_empty=len(replies) - len(said),
        n_thought=sum(bool(r.trace) for r in replies),
        repeated=_commonest(text for text, _ in set(pairs) if text),
        ends=_with_any(r.ends for r in replies),
        special=_with_any(_special(text) for text in said),
        entities=_with_any(_entities(text) for text in said),
        quoted=_with_any([text.strip()[:_LONGEST]] for text in said if _is_quoted(text)),
        roles=_with_any(_ROLE.findall(text) for text in said),
        echoed=_with_any([prompt[:_LONGEST]] for text, prompt in pairs if _echoes(text, prompt)),
        beginnings=_shared([text.lstrip()[:_LONGEST] for text in said]),
        endings=tuple(
            Counted(c.n, c.text[::-1])
            for c in _shared([text.rstrip()[::-1][:_LONGEST] for text in said])
        ),
    )


def unshared(mark: str, common: Iterable[Counted], *, at_end: bool) -> str:
    """What of a beginning, or an end, stands inside of all that `common` has of it."""
    turn = -1 if at_end else 1
    turned, theirs = mark[::turn], [c.text[::turn] for c in common]
    lengths = range(len(turned), 0, -1)
    n = next((k for k in lengths if any(t.startswith(turned[:k]) for t in theirs)), 0)
    return turned[n:][::turn]


def _commonest(texts: Iterable[str]) -> Counted:
    counts = Counter(texts)
    text = min(counts, key=lambda t: (-counts[t], t), default="")
    return Counted(counts[text], text) if counts else Counted()


def _with_any(places: Iterable[Sequence[str]]) -> Counted:
    """How many replies have a text of a kind, and the commonest of these texts."""
    marked = [own for own in places if own]
    commonest = _commonest(text.strip() for own in marked for text in dict.fromkeys(own))
    return Counted(len(marked), commonest.text)


def _special(text: str) -> list[str]:
    """Special tokens in a text."""
    return _SPECIAL.findall(text) if any(sign in text for sign in _SPECIAL_BEGIN) else []


def _entities(text: str) -> list[str]:
    """HTML entities of a text that looks as if a program had put them there: all that needs one has one."""
    if "&" not in text or _NEEDS_ENTITY.search(text):
        return []
    return _ENTITY.findall(text)


def _is_quoted(text: str) -> bool:
    """Whether a text is a string of JSON, quotes included, or has line ends spelt out and none of its own."""
    bare = text.strip()
    if len(bare) > 1 and bare[0] == bare[-1] == '"':
        try:
            return isinstance(parse_json(bare), str)
        except ValueError:
            return False
    return "\\n" in bare and "\n" not in bare


def _echoes(text: str, prompt: str) -> bool:
    return len(prompt.strip()) >= _SHORTEST_ECHO and text.startswith(prompt.strip())


def _shared(texts: Sequence[str]) -> tuple[Counted, ...]:
    """Texts with which at least a fifth of `texts` begin, each the longest of its n, most replies first."""
    least = max(2, _SHARED * len(texts))
    groups, shared = {"": [t for t in texts if t]}, dict[str, int]()
    for length in range(1, _LONGEST + 1):
        longer: dict[str, list[str]] = {}
        for own in groups.values():
            for text in own:
                if len(text) >= length:
                    longer.setdefault(text[:length], []).append(text)
        groups = {start: own for start, own in longer.items() if len(own) >= least}
        for start, own in groups.items():
            if shared.get(start[:-1]) == len(own):
                del shared[start[:-1]]
            shared[start] = len(own)
        if not groups:
            break
    return tuple(
        Counted(n, text) for text, n in sorted(shared.items(), key=lambda i: (-i[1], i[0]))
    )
