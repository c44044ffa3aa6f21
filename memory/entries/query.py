"""What a search looks for."""

from dataclasses import dataclass, field

from config.values.json_types import JsonObject


@dataclass(frozen=True)
class MemoryQuery:
    """A search. `vector` is the text's, of this `model`; None when the text has nothing to embed."""

    text: str
    vector: list[float] | None
    model: str
    owner_type: str = ""
    owner_id: str = ""
    type: str = ""
    metadata: JsonObject = field(default_factory=dict)
    owners: tuple[tuple[str, str], ...] = ()  # any of these (type, id); a user's only if created by the viewer
    public: bool = True  # also memories that other tenants have made public
    limit: int = 10
    threshold: float = 0.7
