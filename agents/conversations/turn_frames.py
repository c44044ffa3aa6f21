"""The SSE frames of a conversation's turn: text, tool_call, restart, paused and error, and the place in each.

An `id:` is the seq of the last event that a frame rests on, and, behind dashes, how many characters of the text after
it were sent and their CRC-32; with that as Last-Event-ID a client that was away goes on where it was, and is asked to
discard them (`restart`) when a later try has another text.
"""

import re
import zlib
from uuid import UUID

from agents.conversations.program import STEP
from agents.loop.call_record import call_json
from config.values.json_types import JsonObject
from orchestration.live.sse import sse_frame
from orchestration.live.text_listener import text_listener
from orchestration.program.text_stream import TextPiece

PLACE = re.compile(r"(\d{1,10})(?:-(\d{1,9})(?:-(\d{1,10}))?)?", re.ASCII)
MODEL = f"{STEP}/model-"
TOOL = f"{STEP}/tool-"


class TurnFrames:
    """The frames of one client, and what it has been sent so far."""

    def __init__(self, run_id: UUID, seq: int = 0, offset: int = 0, crc: int = 0) -> None:
        self.run_id, self.seq = run_id, seq
        self.offset, self.crc = offset, crc  # of the text under way that was sent: its characters, their CRC-32
        self.step = self.attempt_id = ""
        self.void_attempts: set[str] = set()  # attempts of the model that came to nothing
        self.answers: set[str] = set()
        self.tool_calls: set[str] = set()  # steps whose call was sent: each is sent once, however often it was tried
        self.is_over = False

    def event_frames(self, row: JsonObject) -> list[bytes]:
        """The frames that an event makes."""
        self.seq = row["seq"]
        kind, step, payload = row["kind"], row["step"], row["payload"]
        if kind == "llm_call" and step.startswith(MODEL):
            return self._model(row)
        if kind == "tool_call" and step.startswith(TOOL) and "/" not in step.removeprefix(TOOL):
            return self._tool(row)
        if kind == "error" and step.startswith(MODEL):
            return self._refusal(payload)
        if kind == "run_paused":
            return [self.frame({"type": "paused", "runId": self.run_id})]
        if kind in ("run_failed", "run_cancelled"):
            self.is_over = True
            error = payload.get("error") or "The turn was cancelled."
            code = payload.get("error_type") or ("CANCELLED" if kind == "run_cancelled" else "AGENT_EXECUTION_ERROR")
            # Pieces of the last try may come after its failure was read. Those of a cancelled turn may stay.
            frames = self._restart() if kind == "run_failed" else []
            body = {"type": "error", "runId": self.run_id, "error": error, "errorCode": code}
            return [*frames, self.frame(body)]
        self.is_over = kind == "run_completed"
        return []

    def _tool(self, row: JsonObject) -> list[bytes]:
        """A tool call that came to its end; not a try that is followed by another."""
        status = "failed" if "error" in row["payload"] else "completed"
        if row["status"] != status or row["step"] in self.tool_calls:
            return []
        self.tool_calls.add(row["step"])
        return [self.frame({"type": "tool_call", "toolCall": _tool_call(row)})]

    def _model(self, row: JsonObject) -> list[bytes]:
        """The rest of a recorded answer; the text of a failed try is discarded."""
        if "error" in row["payload"]:
            return self._restart()
        self.answers.add(row["step"])
        text = (row["output"] or {}).get("text") or ""
        frames = [] if self._begins_with_sent(text) else self._restart()
        rest = text[self.offset :]
        self.step, self.attempt_id, self.offset, self.crc = "", "", 0, 0
        return [*frames, self.frame({"type": "text", "content": rest})] if rest else frames

    def _refusal(self, payload: JsonObject) -> list[bytes]:
        """A recorded answer that does not fit its schema: all of it was sent, and is discarded."""
        discard = payload.get("discard")
        return [self.frame({"type": "restart", "discard": discard})] if discard else []

    def _begins_with_sent(self, text: str) -> bool:
        """Whether the text begins with what the client was sent."""
        return len(text) >= self.offset and zlib.crc32(text[: self.offset].encode()) == self.crc

    def _restart(self) -> list[bytes]:
        self.void_attempts.add(self.attempt_id)
        discard = self.offset
        self.step, self.attempt_id, self.offset, self.crc = "", "", 0, 0
        return [self.frame({"type": "restart", "discard": discard})] if discard else []

    def belongs_here(self, piece: TextPiece) -> bool:
        """Whether a piece continues what was sent; else the tables must be read first."""
        return piece.step == self.step or piece.step in self.answers

    async def text_frames(self, piece: TextPiece) -> list[bytes]:
        """The frames that a piece of text makes: what of it is new, after what was missed before it."""
        if piece.step in self.answers or piece.attempt_id in self.void_attempts or not piece.step.startswith(MODEL):
            return []
        frames: list[bytes] = []
        start, text = piece.offset, piece.text
        if start > self.offset or (start and piece.attempt_id != self.attempt_id):
            start, text = 0, await text_listener.text_so_far(piece.attempt_id)
        if (
            self.offset
            and piece.attempt_id != self.attempt_id
            and (self.attempt_id or not self._begins_with_sent(text))
        ):
            frames = self._restart()
        self.step, self.attempt_id = piece.step, piece.attempt_id
        new = text[self.offset - start :]
        self.offset, self.crc = self.offset + len(new), zlib.crc32(new.encode(), self.crc)
        return [*frames, self.frame({"type": "text", "content": new})] if new else frames

    def frame(self, body: JsonObject) -> bytes:
        """A frame whose id is the place of a client that has it."""
        place = f"{self.seq}-{self.offset}-{self.crc}" if self.offset else str(self.seq)
        return b"id: " + place.encode() + b"\n" + sse_frame(body)


def _tool_call(row: JsonObject) -> JsonObject:
    payload = row["payload"]
    result = row["output"] if row["status"] == "completed" else None
    if result is None:
        fault = row["error"] or payload
        result = {"error": fault.get("error", ""), "error_type": fault.get("error_type", "")}
    return call_json(payload["tool_id"], payload.get("tool_name") or payload["tool_id"], row["input"], result)


def place_of(last_event_id: str) -> tuple[int, int, int]:
    """(seq, characters after it, their CRC-32) of a Last-Event-ID; the beginning for one that is none of ours."""
    match = PLACE.fullmatch(last_event_id)
    seq, offset, crc = (int(number or 0) for number in match.groups()) if match else (0, 0, 0)
    return min(seq, 2**31 - 1), offset, crc
