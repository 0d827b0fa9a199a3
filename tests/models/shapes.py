"""Tokenizers and chat templates in the shapes that people have, built small; the wording of the templates is ours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

HIDDEN = "You are Nordlicht, kept by the lighthouse."
DATE = "26 July 2024"


@dataclass(frozen=True)
class Shape:
    """A tokenizer with its chat template, and what is true of them."""

    make: Callable[[str], Any]  # template -> tokenizer
    template: str
    closing: str | None  # token that closes an assistant's turn
    stop: str = ""  # text that does where no token does
    adds: str = ""  # words that the template puts before the first question
    missing: str = ""  # what opens earlier replies, but not a new one
    before: tuple[str, ...] = ()  # what the tokenizer puts before a text
    behind: tuple[str, ...] = ()  # what it puts behind one
    dated: bool = False
    takes_system: bool = True

    def tokenizer(self) -> Any:
        """A new tokenizer."""
        return self.make(self.template)


def byte_level(
    *marks: str, bos: str | None, eos: str, puts: tuple[str, str] = ("", "")
) -> Callable[[str], Any]:
    """As of GPT-2, Llama 3, Qwen, Phi: every byte is a token, and so is every mark."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers

    def make(template: str) -> Any:
        vocabulary = _ids([*marks, *sorted(pre_tokenizers.ByteLevel.alphabet())])
        raw = Tokenizer(models.BPE(vocab=vocabulary, merges=[]))
        raw.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False, use_regex=False)
        raw.decoder = decoders.ByteLevel()
        return _whole(raw, marks, bos, eos, puts, template)

    return make


def pieces(*marks: str, eos: str, puts: tuple[str, str], dummy: bool) -> Callable[[str], Any]:
    """As of sentencepiece (Llama 2, Mistral, Gemma): "▁" for blanks, `dummy` = one before every text, bytes else."""
    from tokenizers import Tokenizer, decoders, models, normalizers

    def make(template: str) -> Any:
        letters = [chr(c) for c in range(33, 127)]
        spelled = [f"<0x{b:02X}>" for b in range(256)]
        vocabulary = _ids(["<unk>", *marks, *spelled, "▁", *letters, "▁t", "in"])
        raw = Tokenizer(
            models.BPE(
                vocab=vocabulary,
                merges=[("▁", "t"), ("i", "n")],
                unk_token="<unk>",
                byte_fallback=True,
            )
        )
        steps = [normalizers.Prepend("▁")] if dummy else []
        raw.normalizer = normalizers.Sequence([*steps, normalizers.Replace(" ", "▁")])
        ends = [decoders.Strip(" ", 1, 0)] if dummy else []
        raw.decoder = decoders.Sequence(
            [decoders.Replace("▁", " "), decoders.ByteFallback(), decoders.Fuse(), *ends]
        )
        return _whole(raw, marks, marks[0], eos, puts, template)

    return make


def _ids(tokens: Sequence[str]) -> dict[str, int]:
    return {t: i for i, t in enumerate(dict.fromkeys(tokens))}


def _whole(
    raw: Any,
    marks: Sequence[str],
    bos: str | None,
    eos: str,
    puts: tuple[str, str],
    template: str,
) -> Any:
    from tokenizers import processors
    from transformers import PreTrainedTokenizerFast

    if any(puts):
        single = " ".join(part for part in (puts[0], "$A", puts[1]) if part)
        named = [(mark, raw.token_to_id(mark)) for mark in puts if mark]
        raw.post_processor = processors.TemplateProcessing(single=single, special_tokens=named)
    outer: Any = PreTrainedTokenizerFast(tokenizer_object=raw, bos_token=bos, eos_token=eos)
    outer.add_special_tokens({"additional_special_tokens": list(marks)})
    outer.chat_template = template
    return outer


def _turns(head: str, end: str, opening: str, before: str = "", after: str = "") -> str:
    """Every turn is head, contents, end; `head` is a Jinja expression over `m`."""
    return (
        f"{before}{{% for m in messages %}}{{{{ {head} + m['content'] + {end!r} }}}}{{% endfor %}}"
        f"{{% if add_generation_prompt %}}{{{{ {opening!r} }}}}{{% endif %}}{after}"
    )


_CHATML = ("'<|im_start|>' + m['role'] + '\\n'", "<|im_end|>\n", "<|im_start|>assistant\n")
_LLAMA3 = (
    "'<|head|>' + m['role'] + '<|text|>\\n\\n'",
    "<|eot|>",
    "<|head|>assistant<|text|>\n\n",
)
_GEMMA_HEAD = "'<turn>' + ('model' if m['role'] == 'assistant' else m['role']) + '\\n'"
_NO_SYSTEM = (
    "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system turn') }}{% endif %}"
)
_INST = (
    "{% for m in messages %}{% if m['role'] == 'user' %}{{ USER }}{% elif m['role'] == 'assistant' %}"
    "{{ REPLY }}{% else %}{{ '[SYS]' + m['content'] }}{% endif %}{% endfor %}"
)
_DEFAULT = (
    "{% if messages[0]['role'] != 'system' %}{{ '<|im_start|>system\\n"
    + HIDDEN
    + "<|im_end|>\\n' }}{% endif %}"
)
_IM = ("<|im_start|>", "<|im_end|>", "<|endoftext|>")
_L3 = ("<|begin|>", "<|eot|>", "<|head|>", "<|text|>", "<|over|>")
_PREAMBLE = "Below is a task. Write what it asks for."
_ALPACA = (
    "{{ '" + _PREAMBLE + "\\n\\n' }}{% for m in messages %}{% if m['role'] == 'assistant' %}"
    "{{ '### Response:\\n' + m['content'] + eos_token + '\\n\\n' }}{% else %}"
    "{{ '### Instruction:\\n' + m['content'] + '\\n\\n' }}{% endif %}{% endfor %}"
    "{% if add_generation_prompt %}{{ '### Response:\\n' }}{% endif %}"
)
_INST_2 = _INST.replace("USER", "bos_token + '[INST] ' + m['content'] + ' [/INST]'").replace(
    "REPLY", "' ' + m['content'] + ' ' + eos_token"
)
_INST_M = "{{ bos_token }}" + _INST.replace("USER", "'[INST] ' + m['content'] + '[/INST]'").replace(
    "REPLY", "' ' + m['content'] + eos_token"
)

SHAPES: dict[str, Shape] = {
    "llama_2": Shape(
        pieces("<s>", "</s>", eos="</s>", puts=("<s>", ""), dummy=True),
        _INST_2, "</s>", before=("<s>",),
    ),
    "llama_3": Shape(
        byte_level(*_L3, bos="<|begin|>", eos="<|over|>", puts=("<|begin|>", "")),
        _turns(*_LLAMA3, before="{{ bos_token }}"), "<|eot|>", before=("<|begin|>",),
    ),
    "llama_3_dated": Shape(
        byte_level(*_L3, bos="<|begin|>", eos="<|over|>", puts=("<|begin|>", "")),
        _turns(
            *_LLAMA3,
            before="{{ bos_token + '<|head|>system<|text|>Today Date: ' + strftime_now('%d %B %Y') + '<|eot|>' }}",
        ),
        "<|eot|>", adds=f"system Today Date: {DATE}", before=("<|begin|>",), dated=True,
    ),
    "qwen_2_5": Shape(
        byte_level(*_IM, bos=None, eos="<|im_end|>"),
        _turns(*_CHATML, before=_DEFAULT), "<|im_end|>", adds=f"system {HIDDEN}",
    ),
    "qwen_3": Shape(
        byte_level(*_IM, "<think>", "</think>", bos=None, eos="<|im_end|>"),
        _turns(_CHATML[0], _CHATML[1], "<|im_start|>assistant\n<think>\n\n</think>\n\n"), "<|im_end|>",
    ),
    "qwen_base": Shape(
        byte_level(*_IM, bos=None, eos="<|endoftext|>"), _turns(*_CHATML), "<|im_end|>"
    ),
    "gemma": Shape(
        pieces("<bos>", "<eos>", "<turn>", "<end>", eos="<eos>", puts=("<bos>", ""), dummy=False),
        _turns(_GEMMA_HEAD, "<end>\n", "<turn>model\n", before="{{ bos_token }}" + _NO_SYSTEM),
        "<end>", before=("<bos>",), takes_system=False,
    ),
    "mistral": Shape(
        pieces("<s>", "</s>", "[INST]", "[/INST]", eos="</s>", puts=("<s>", ""), dummy=False),
        _INST_M, "</s>", before=("<s>",),
    ),
    "phi": Shape(
        byte_level("<|user|>", "<|assistant|>", "<|system|>", "<|end|>", "<|last|>", bos=None, eos="<|last|>"),
        _turns("'<|' + m['role'] + '|>\\n'", "<|end|>\n", "<|assistant|>\n"), "<|end|>",
    ),
    "zephyr": Shape(
        pieces("<s>", "</s>", eos="</s>", puts=("<s>", ""), dummy=True),
        _turns("'<|' + m['role'] + '|>\\n'", "</s>\n", "<|assistant|>\n"), "</s>", before=("<s>",),
    ),
    "chatml_without_beginning": Shape(
        byte_level(*_IM, bos="<|endoftext|>", eos="<|im_end|>", puts=("<|endoftext|>", "")),
        _turns(*_CHATML), "<|im_end|>", before=("<|endoftext|>",),
    ),
    "alpaca": Shape(
        pieces("<s>", "</s>", eos="</s>", puts=("<s>", ""), dummy=True),
        _ALPACA, "</s>", adds=_PREAMBLE, before=("<s>",),
    ),
    "leading_blank": Shape(
        byte_level(*_L3, bos="<|begin|>", eos="<|over|>", puts=("<|begin|>", "")),
        _turns(*_LLAMA3, before="\n {{ bos_token }}"), "<|eot|>", before=("<|begin|>",),
    ),
    "no_mark_closes": Shape(
        byte_level("<|over|>", bos=None, eos="<|over|>"),
        _turns("m['role'] + ': '", "\n", "assistant: "), None, stop="\nuser:",
    ),
    "no_opening": Shape(
        byte_level("<|over|>", bos=None, eos="<|over|>"),
        _turns("m['role'] + ': '", "\n", ""), None, stop="\nuser:", missing="assistant:",
    ),
    "channels": Shape(
        byte_level(
            "<|start|>", "<|channel|>", "<|message|>", "<|end|>", "<|return|>", bos=None, eos="<|return|>"
        ),
        _turns(
            "'<|start|>' + m['role'] + ('<|channel|>final' if m['role'] == 'assistant' else '') + '<|message|>'",
            "<|end|>", "<|start|>assistant",
        ),
        None,
    ),
    "mark_in_several_tokens": Shape(
        byte_level("<|over|>", bos=None, eos="<|over|>"),
        _turns(*_CHATML), None, stop="<|im_end|>",
    ),
    "end_added": Shape(
        byte_level(*_L3, bos="<|begin|>", eos="<|over|>", puts=("<|begin|>", "<|over|>")),
        _turns(*_LLAMA3, before="{{ bos_token }}"), "<|eot|>", before=("<|begin|>",), behind=("<|over|>",),
    ),
    "only_end_added": Shape(
        byte_level(*_IM, bos=None, eos="<|endoftext|>", puts=("", "<|endoftext|>")),
        _turns(*_CHATML), "<|im_end|>", behind=("<|endoftext|>",),
    ),
}  # fmt: skip
