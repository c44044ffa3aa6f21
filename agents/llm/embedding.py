"""Embeddings by a provider's model, for memory: EMBEDDING_MODEL names it, such as openai/text-embedding-3-small."""

from dataclasses import dataclass

from django.conf import settings

from agents.errors import AgentExecutionError
from agents.llm.model_choice import NO_KEY
from agents.llm.providers.litellm_model import embeddings
from memory.entries.embedding import register_remote, unit_vector

BATCH = 64


@register_remote
@dataclass(frozen=True)
class RemoteEmbedder:
    """Asks the operator's gateway, else the provider with the operator's key."""

    model: str

    async def embed(self, texts: list[str]) -> list[list[float] | None]:
        """A vector of unit length for each text."""
        route, key, base = self._route()
        result: list[list[float] | None] = []
        for at in range(0, len(texts), BATCH):
            batch = [text if text.strip() else "." for text in texts[at : at + BATCH]]
            vectors = await embeddings(route, batch, key, base)
            result += [unit_vector(vector) if text.strip() else None
                      for text, vector in zip(texts[at : at + BATCH], vectors, strict=True)]  # fmt: skip
        return result

    def _route(self) -> tuple[str, str, str | None]:
        """(LiteLLM's name of the model, key, address)."""
        provider, slash, name = self.model.partition("/")
        if not slash:
            provider, name = "openai", self.model
        if settings.LLM_BASE_URL:
            return f"openai/{name}", settings.LLM_API_KEY or NO_KEY, settings.LLM_BASE_URL
        if key := settings.PROVIDER_KEYS.get(provider):
            return f"{provider}/{name}", key, None
        raise AgentExecutionError(
            f"EMBEDDING_MODEL is {self.model}, but neither LLM_BASE_URL nor {provider.upper()}_API_KEY is set."
        )
