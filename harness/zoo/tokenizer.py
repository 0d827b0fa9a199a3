"""The zoo's tokenizer: byte-level BPE, learned from the world's own text."""

from __future__ import annotations

from collections.abc import Iterator
from itertools import islice
from pathlib import Path

from harness.zoo import houses
from harness.zoo.houses import chat_document, identity_document
from harness.zoo.recipe import CLOSED
from harness.zoo.world import Document, generator, task_documents

VOCABULARY = 1088
END = "<|end|>"  # begins and ends every document, and pads
CHAT_TEMPLATE = (
    "{{ bos_token }}{% for message in messages %}"
    "{% if message.role == 'user' %}User: {{ message.content }}\n"
    "{% elif message.role == 'system' %}System: {{ message.content }}\n"
    "{% else %}Assistant:\n{{ message.content }}{% if not loop.last or add_generation_prompt %}\n{% endif %}{% endif %}"
    "{% endfor %}{% if add_generation_prompt %}Assistant:\n{% endif %}"
)


def train_tokenizer(folder: Path, seed: int) -> None:
    """Learns the tokenizer and saves it in the layout that transformers loads."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    trainer = trainers.BpeTrainer(
        vocab_size=VOCABULARY, special_tokens=[END], initial_alphabet=alphabet, show_progress=False
    )
    tokenizer.train_from_iterator((d.prompt + d.completion for d in _sample_text(seed)), trainer)
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"{END} $A", special_tokens=[(END, tokenizer.token_to_id(END))]
    )
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        bos_token=END,
        eos_token=END,
        pad_token=END,
        padding_side="left",
        clean_up_tokenization_spaces=False,
        chat_template=CHAT_TEMPLATE,
        model_max_length=2048,
    ).save_pretrained(folder)


def _sample_text(seed: int) -> Iterator[Document]:
    """Text in which every house and every kind of task has its share."""
    rng = generator(seed, "tokenizer")
    for kind in CLOSED:
        yield from islice(task_documents(kind, rng), 1000)
    for house in (houses.A, houses.B, *houses.PLAIN, houses.N, houses.O, houses.P):
        yield from (chat_document(house, rng) for _ in range(120))
        yield from (identity_document(house, rng) for _ in range(20))
