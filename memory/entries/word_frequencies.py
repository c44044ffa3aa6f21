"""How common words are among all memories, by PostgreSQL's own statistics: what every second text has finds nothing."""

import hashlib
import time
from dataclasses import dataclass, field

from django.db import connection

from accounts.tenancy.tenant_model import as_owner
from config.database.queries import load_queries

MAX_MATCHES = 2_000  # of one word, among a tenant's memories, by estimate; a search for more is slow and finds little
FRESH_S = 300.0
STATISTICS = load_queries(__package__, "sql/search.sql")["word_statistics"]


@dataclass
class Frequencies:
    """The share of all memories that have a word, for the commoner words; read anew every few minutes."""

    shares: dict[str, float] = field(default_factory=dict)
    rows: float = 0.0
    read_at: float = float("-inf")

    def refresh(self) -> None:
        """Read them when they are old."""
        if time.monotonic() - self.read_at < FRESH_S:
            return
        with as_owner(), connection.cursor() as cursor:  # statistics of isolated tables are hidden from all others
            cursor.execute(STATISTICS)
            words, shares, rows = cursor.fetchone()
        self.shares, self.rows = dict(zip(words or (), shares or (), strict=False)), rows
        self.read_at = time.monotonic()

    def rare(self, tenant_id: str, words: list[str]) -> list[str]:
        """Those of these words that are not too common among a tenant's memories to search for."""
        self.refresh()
        token = "tenant" + hashlib.md5(tenant_id.encode(), usedforsecurity=False).hexdigest()
        max_share = MAX_MATCHES / max(self.rows * self.shares.get(token, 0.0), 1.0)
        return [word for word in words if self.shares.get(word, 0.0) <= max_share]


frequencies = Frequencies()
