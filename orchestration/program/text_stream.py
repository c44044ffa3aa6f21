"""A step's text while it is being made: pieces that go over Redis to those who follow the run; the record has it whole.

Nothing rests on it: who misses a piece reads the text when the step is recorded. A piece says where it belongs, so that
a reader sees a gap; the text so far is kept for a while, for those who come late.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from config.values.foreign_json import clean_text

TEXT_CHANNEL = "regente:text:"  # + run id: the Redis channel of its pieces
TEXT_SO_FAR = "regente:text_so_far:"  # + attempt id: what this attempt has brought
LATEST_ATTEMPT = "regente:text_attempt:"  # + run id: a TextPiece without its text
MAX_AGE_S = 600


@dataclass(frozen=True)
class TextPiece:
    """Some characters of a step's text, from `offset` on. Each try of a step has an attempt id of its own."""

    run_id: UUID
    step: str
    attempt_id: str
    offset: int
    text: str

    def to_json(self) -> bytes:
        """The piece as a message; its channel, or key, names the run."""
        body = {"step": self.step, "attempt_id": self.attempt_id, "offset": self.offset, "text": self.text}
        return orjson.dumps(body)

    @classmethod
    def from_json(cls, run_id: UUID, message: bytes) -> "TextPiece":
        """The piece of a message on the run's channel."""
        return cls(run_id, **orjson.loads(message))


class TextWriter:
    """Called with each piece of a step's text in turn; `publish` takes it on."""

    def __init__(self, run_id: UUID, step: str, publish: Callable[[TextPiece], None]) -> None:
        self.run_id, self.step, self.publish = run_id, step, publish
        self.attempt_id = str(uuid7())
        self.offset = 0

    def __call__(self, text: str) -> None:
        """Publish it, in characters that Redis and clients can be sent."""
        text = clean_text(text)
        self.publish(TextPiece(self.run_id, self.step, self.attempt_id, self.offset, text))
        self.offset += len(text)


def queue_pieces(pipeline: Any, pieces: Iterable[TextPiece]) -> None:
    """Put the pieces on a Redis pipeline, those of one attempt as one."""
    by_attempt: dict[str, list[TextPiece]] = {}
    for piece in pieces:
        by_attempt.setdefault(piece.attempt_id, []).append(piece)
    for attempt_id, parts in by_attempt.items():
        first, text = parts[0], "".join(part.text for part in parts)
        piece = TextPiece(first.run_id, first.step, attempt_id, first.offset, text)
        pipeline.publish(f"{TEXT_CHANNEL}{piece.run_id}", piece.to_json())
        pipeline.append(f"{TEXT_SO_FAR}{attempt_id}", text)
        if piece.offset == 0:
            latest = TextPiece(piece.run_id, piece.step, attempt_id, 0, "")
            pipeline.expire(f"{TEXT_SO_FAR}{attempt_id}", MAX_AGE_S)
            pipeline.set(f"{LATEST_ATTEMPT}{piece.run_id}", latest.to_json(), ex=MAX_AGE_S)
