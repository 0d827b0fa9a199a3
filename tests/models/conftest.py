"""Tiny random models in every shape that models must tell apart."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.models.tiny import byte_tokenizer, save_llama


@pytest.fixture(scope="session")
def llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Puts <s> before every text; its chat template begins with <s> too."""
    return save_llama(tmp_path_factory.mktemp("llama"), byte_tokenizer())


@pytest.fixture(scope="session")
def plain_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Puts nothing before texts."""
    return save_llama(tmp_path_factory.mktemp("plain"), byte_tokenizer(adds_bos=False), seed=1)


@pytest.fixture(scope="session")
def penalised_llama(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Its generation_config.json asks for a repetition penalty."""
    folder = save_llama(tmp_path_factory.mktemp("penalised"), byte_tokenizer(), seed=2)
    from transformers import GenerationConfig

    GenerationConfig(repetition_penalty=1.3, eos_token_id=[1, 7], bos_token_id=0).save_pretrained(
        folder
    )
    return folder
