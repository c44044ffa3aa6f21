"""Texts → vectors of unit length: the static embeddings in the package, or whatever model EMBEDDING_MODEL names."""

from collections.abc import Callable
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Protocol

from django.conf import settings

LOCAL_MODEL = "wordllama/l2_supercat_256"
BATCH = 16
# The raw cosine from which on two texts are about the same subject, by what a model's name holds; measured for the
# local one (docs/decisions/006), the makers' own examples for the others. RULINGS §8: that is what 0.7 means.
SAME_SUBJECT = {"wordllama": 0.38, "ada-002": 0.82, "text-embedding-3": 0.45, "gemini": 0.65, "cohere": 0.5}
DEFAULT_SAME_SUBJECT = 0.5
THRESHOLD = 0.7


class Embedder(Protocol):
    """Something that turns texts into vectors."""

    @property
    def model(self) -> str:
        """Its name; vectors of different models are never compared."""

    async def embed(self, texts: list[str]) -> list[list[float] | None]:
        """A vector of unit length for each text; None for one that has nothing to embed."""


class LocalEmbedder:
    """wordllama's static embeddings, 256 dimensions: no network, some 20,000 short texts a second on one core."""

    model = LOCAL_MODEL

    async def embed(self, texts: list[str]) -> list[list[float] | None]:
        """The vectors; computing them takes less than a thread's turn would."""
        return self.vectors(texts)

    def vectors(self, texts: list[str]) -> list[list[float] | None]:
        """The same, for those who cannot wait."""
        import numpy

        vectors: list[list[float] | None] = []
        for at in range(0, len(texts), BATCH):
            raw = _inference().embed([text or " " for text in texts[at : at + BATCH]])
            lengths = numpy.linalg.norm(raw, axis=1)
            for text, vector, length in zip(texts[at : at + BATCH], raw, lengths, strict=True):
                usable = bool(text.strip()) and numpy.isfinite(length) and length > 1e-6
                vectors.append((vector / length).tolist() if usable else None)
        return vectors


@cache
def _inference() -> Any:
    """wordllama with the weights and the tokenizer of its package, loaded on first use (a quarter of a second)."""
    from safetensors.numpy import load_file
    from tokenizers import Tokenizer
    from wordllama.inference import WordLlamaInference

    spec = find_spec("wordllama")
    assert spec and spec.origin
    folder = Path(spec.origin).parent
    weights = load_file(folder / "weights" / "l2_supercat_256.safetensors")["embedding.weight"]
    tokenizer = Tokenizer.from_file(str(folder / "tokenizers" / "l2_supercat_tokenizer_config.json"))
    return WordLlamaInference(weights, tokenizer)


_remote: list[Callable[[str], Embedder]] = []


def register_remote(factory: Callable[[str], Embedder]) -> Callable[[str], Embedder]:
    """Register what makes an Embedder of a model's name; the agents app does, for it knows LiteLLM."""
    _remote[:] = [factory]
    return factory


def embedder() -> Embedder:
    """The one that EMBEDDING_MODEL names, the local one when it is not set."""
    if not settings.EMBEDDING_MODEL or settings.EMBEDDING_MODEL == LOCAL_MODEL:
        return LocalEmbedder()
    return _remote[0](settings.EMBEDDING_MODEL)


def same_subject(model: str) -> float:
    """The raw cosine of this model that stands for a similarity of 0.7."""
    if settings.EMBEDDING_SAME_SUBJECT:
        return settings.EMBEDDING_SAME_SUBJECT
    return next((cosine for name, cosine in SAME_SUBJECT.items() if name in model), DEFAULT_SAME_SUBJECT)


def similarity(cosine: float, model: str) -> float:
    """The calibrated similarity, 0 to 1: linear from 0 to 0.7 below the model's mark, and from there to 1."""
    mark = same_subject(model)
    if cosine <= mark:
        return max(cosine, 0.0) / mark * THRESHOLD
    return min(THRESHOLD + (cosine - mark) / (1 - mark) * (1 - THRESHOLD), 1.0)


def unit_vector(vector: list[float]) -> list[float] | None:
    """The vector with length 1; None when it has none, or is not finite (a cosine with it would mean nothing)."""
    length = sum(value * value for value in vector) ** 0.5
    return [value / length for value in vector] if 1e-9 < length < float("inf") else None
