"""A step's text while it is being made: told over Redis, for those who follow the run; the record has it whole.

Nothing rests on it: who hears nothing reads the text when the step is recorded. A piece says where it belongs, so that
a listener sees a gap; what was said so far is kept for a while, for those who come late.
"""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

import orjson
from uuid_utils.compat import uuid7

from config.values.foreign_json import clean_text

TEXT = "regente:text:"  # + run id: the Redis channel of its pieces
SAID = "regente:said:"  # + voice: what this voice has said so far
SPEAKING = "regente:speaking:"  # + run id: {step, voice} of the latest
KEPT_S = 600


@dataclass(frozen=True)
class Piece:
    """Some characters of a step's text, from `at` on. Each try of a step speaks with a voice of its own."""

    run_id: UUID
    step: str
    voice: str
    at: int
    text: str


class Speaker:
    """Called with each piece of the text in turn."""

    def __init__(self, run_id: UUID, step: str, say: Callable[[Piece], None]) -> None:
        self.run_id, self.step, self.say = run_id, step, say
        self.voice = str(uuid7())
        self.at = 0

    def __call__(self, text: str) -> None:
        """Say it, in characters that Redis and clients can be sent."""
        text = clean_text(text)
        self.say(Piece(self.run_id, self.step, self.voice, self.at, text))
        self.at += len(text)


def spoken(line: Any, pieces: Iterable[Piece]) -> None:
    """Put the pieces on a Redis pipeline, those of one voice together."""
    joined: dict[str, Piece] = {}
    for piece in pieces:
        first = joined.get(piece.voice)
        joined[piece.voice] = (
            piece if first is None else Piece(first.run_id, first.step, first.voice, first.at, first.text + piece.text)
        )
    for piece in joined.values():
        body = {"step": piece.step, "voice": piece.voice, "at": piece.at, "text": piece.text}
        line.publish(f"{TEXT}{piece.run_id}", orjson.dumps(body))
        line.append(f"{SAID}{piece.voice}", piece.text)
        if piece.at == 0:
            line.expire(f"{SAID}{piece.voice}", KEPT_S)
            line.set(f"{SPEAKING}{piece.run_id}", orjson.dumps({"step": piece.step, "voice": piece.voice}), ex=KEPT_S)
