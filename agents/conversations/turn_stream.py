"""A turn as SSE (seed 000 §5, §14): connected, text…, tool_call…, complete or error.

The tables are the truth: tool calls and the end are read from them, and so is whatever of the text was not heard while
it was said. An `id:` is the seq of the last event that a frame rests on, and, behind dashes, how many characters of
the text after it were sent and their CRC-32; with that as Last-Event-ID a client that was away goes on where it was,
and is told to discard them when a later try says something else.
"""

import asyncio
import re
import zlib
from collections.abc import AsyncGenerator, AsyncIterator
from typing import Any
from uuid import UUID

from agents.conversations.program import STEP
from agents.loop.turn_calls import shown
from orchestration.live.change_listener import followers
from orchestration.live.sse import COMMENT, COMMENT_S, sse_frame
from orchestration.live.text_listener import TextFollower, text_listener
from orchestration.models import FINAL
from orchestration.program.text_stream import TextPiece
from orchestration.serializers.runs import step_id

ROWS = """
SELECT e.seq, e.kind, e.step, e.payload, s.status, s.input, s.output, s.error
FROM orchestration_runevent e LEFT JOIN orchestration_step s ON s.run_id = e.run_id AND s.name = e.step
WHERE e.run_id = %(run)s AND e.seq > %(after)s ORDER BY e.seq LIMIT 500
"""
STATE = """
SELECT r.status, r.result, (SELECT max(seq) FROM orchestration_runevent e WHERE e.run_id = r.id) AS seq
FROM orchestration_run r WHERE r.id = %s
"""
RECORDED = """
SELECT DISTINCT step FROM orchestration_runevent
WHERE run_id = %s AND seq <= %s AND kind = 'llm_call' AND NOT payload ? 'error'
"""
PLACE = re.compile(r"(\d{1,10})(?:-(\d{1,9})(?:-(\d{1,10}))?)?", re.ASCII)
MODEL = f"{STEP}/model-"
TOOL = f"{STEP}/tool-"


class Turn:
    """What a client has been told of a run so far."""

    def __init__(self, run_id: UUID, seq: int = 0, offset: int = 0, crc: int = 0) -> None:
        self.run_id, self.seq = run_id, seq
        self.offset, self.crc = offset, crc  # of the text under way that was sent: its characters, their CRC-32
        self.step = self.attempt_id = ""
        self.void_attempts: set[str] = set()  # attempts that came to nothing
        self.recorded: set[str] = set()
        self.called: set[str] = set()  # steps whose tool call was told: each is told once, however often it was tried
        self.ended = False

    def read(self, row: dict[str, Any]) -> list[bytes]:
        """The frames that an event makes."""
        self.seq = row["seq"]
        kind, step, payload = row["kind"], row["step"], row["payload"]
        if kind == "llm_call" and step.startswith(MODEL):
            return self._model(row)
        if kind == "tool_call" and step.startswith(TOOL) and "/" not in step.removeprefix(TOOL):
            return self._tool(row)
        if kind == "error" and step.startswith(MODEL):
            return self._refused(payload)
        if kind == "run_paused":
            return [self.frame({"type": "paused", "runId": self.run_id})]
        if kind in ("run_failed", "run_cancelled"):
            self.ended = True
            told = {"error": payload.get("error") or "The turn was cancelled."}
            code = payload.get("error_type") or ("CANCELLED" if kind == "run_cancelled" else "AGENT_EXECUTION_ERROR")
            # Pieces of the last try may come after its failure was read. Those of a cancelled turn may stay.
            frames = self._taken_back() if kind == "run_failed" else []
            return [*frames, self.frame({"type": "error", "runId": self.run_id} | told | {"errorCode": code})]
        self.ended = kind == "run_completed"
        return []

    def _tool(self, row: dict[str, Any]) -> list[bytes]:
        """A tool call that came to its end; not a try that is followed by another."""
        wanted = "failed" if "error" in row["payload"] else "completed"
        if row["status"] != wanted or row["step"] in self.called:
            return []
        self.called.add(row["step"])
        return [self.frame({"type": "tool_call", "toolCall": _tool_call(row)})]

    def _model(self, row: dict[str, Any]) -> list[bytes]:
        """What was not heard of a recorded answer; a failed try's text is taken back."""
        if "error" in row["payload"]:
            return self._taken_back()
        self.recorded.add(row["step"])
        text = (row["output"] or {}).get("text") or ""
        frames = [] if self._begins(text) else self._taken_back()
        rest = text[self.offset :]
        self.step, self.attempt_id, self.offset, self.crc = "", "", 0, 0
        return [*frames, self.frame({"type": "text", "content": rest})] if rest else frames

    def _refused(self, payload: dict[str, Any]) -> list[bytes]:
        """A recorded answer that the agent did not take: all of it was sent, and is taken back."""
        discard = payload.get("discard")
        return [self.frame({"type": "restart", "discard": discard})] if discard else []

    def _begins(self, text: str) -> bool:
        """Whether the text begins with what the client was sent."""
        return len(text) >= self.offset and zlib.crc32(text[: self.offset].encode()) == self.crc

    def _taken_back(self) -> list[bytes]:
        self.void_attempts.add(self.attempt_id)
        sent, self.step, self.attempt_id, self.offset, self.crc = self.offset, "", "", 0, 0
        return [self.frame({"type": "restart", "discard": sent})] if sent else []

    def knows(self, piece: TextPiece) -> bool:
        """Whether a piece belongs to what is being told; else the tables must be read first."""
        return piece.step == self.step or piece.step in self.recorded

    async def add(self, piece: TextPiece) -> list[bytes]:
        """The frames that a piece of text makes: what of it is new, after what was missed before it."""
        if piece.step in self.recorded or piece.attempt_id in self.void_attempts or not piece.step.startswith(MODEL):
            return []
        frames: list[bytes] = []
        start, text = piece.offset, piece.text
        if start > self.offset or (start and piece.attempt_id != self.attempt_id):
            start, text = 0, await text_listener.text_so_far(piece.attempt_id)
        if self.offset and piece.attempt_id != self.attempt_id and (self.attempt_id or not self._begins(text)):
            frames = self._taken_back()
        self.step, self.attempt_id = piece.step, piece.attempt_id
        new = text[self.offset - start :]
        self.offset, self.crc = self.offset + len(new), zlib.crc32(new.encode(), self.crc)
        return [*frames, self.frame({"type": "text", "content": new})] if new else frames

    def frame(self, body: dict[str, Any]) -> bytes:
        """A frame that says where the client is once it has it."""
        place = f"{self.seq}-{self.offset}-{self.crc}" if self.offset else str(self.seq)
        return b"id: " + place.encode() + b"\n" + sse_frame(body)


def _tool_call(row: dict[str, Any]) -> dict[str, Any]:
    payload = row["payload"]
    result = row["output"] if row["status"] == "completed" else None
    if result is None:
        told = row["error"] or payload
        result = {"error": told.get("error", ""), "error_type": told.get("error_type", "")}
    return shown(payload["tool_id"], payload.get("tool_name") or payload["tool_id"], row["input"], result)


def place_of(last_event_id: str) -> tuple[int, int, int]:
    """(seq, characters after it, their CRC-32) of a Last-Event-ID; the beginning for one that is none of ours."""
    found = PLACE.fullmatch(last_event_id)
    seq, offset, crc = (int(number or 0) for number in found.groups()) if found else (0, 0, 0)
    return min(seq, 2**31 - 1), offset, crc


async def turn_stream(run_id: UUID, conversation_id: str, last_event_id: str = "") -> AsyncGenerator[bytes, None]:
    """The turn's frames from its beginning, or from where the client was."""
    turn = Turn(run_id, *place_of(last_event_id))
    told = {"runId": run_id, "stepId": step_id(run_id, STEP), "conversation_id": conversation_id}
    yield sse_frame({"type": "connected"} | told)
    if turn.seq:
        await _place(turn)
    async with text_listener.follow(run_id) as follower:
        late = await text_listener.latest_text(run_id)
        if late is not None:
            follower.pieces.appendleft(late)
        quiet_since = asyncio.get_running_loop().time()
        while True:
            sent = False
            async for part in _news(turn, follower):
                yield part
                sent = True
            if turn.ended:
                async for part in _end(turn):
                    yield part
                return
            now = asyncio.get_running_loop().time()
            if sent:
                quiet_since = now
            elif now - quiet_since >= COMMENT_S:
                yield COMMENT
                quiet_since = now
            await follower.wait(COMMENT_S - (now - quiet_since))


async def _news(turn: Turn, follower: TextFollower) -> AsyncIterator[bytes]:
    """The frames of all that has come in."""
    while follower.is_changed or follower.pieces:
        if follower.is_changed or (follower.pieces and not turn.knows(follower.pieces[0])):
            follower.is_changed = False
            for part in await _rows(turn):
                yield part
            if turn.ended:
                return
        while follower.pieces and not follower.is_changed:
            piece = follower.pieces.popleft()
            for part in await turn.add(piece):
                yield part
            if follower.pieces and not turn.knows(follower.pieces[0]):
                break


async def _rows(turn: Turn) -> list[bytes]:
    frames: list[bytes] = []
    while rows := await followers.read(ROWS, {"run": turn.run_id, "after": turn.seq}):
        for row in rows:
            frames += turn.read(row)
            if turn.ended:
                return frames
    return frames


async def _place(turn: Turn) -> None:
    """Put a client that comes back where there is something to tell: the last frame of a turn that has ended, or the
    beginning when its place is none of this turn's. It has the answers that were recorded before its place.
    """
    (run,) = await followers.read(STATE, [turn.run_id])
    last = run["seq"] or 0
    if turn.seq > last:
        turn.seq, turn.offset, turn.crc = 0, 0, 0
    elif turn.seq == last and run["status"] in FINAL:
        turn.seq = last - 1
    turn.recorded = {row["step"] for row in await followers.read(RECORDED, [turn.run_id, turn.seq])}


async def _end(turn: Turn) -> AsyncIterator[bytes]:
    """The frame that closes a completed turn; a failed one has had its error."""
    (run,) = await followers.read(STATE, [turn.run_id])
    if run["status"] == "completed":
        yield turn.frame({"type": "complete", "runId": turn.run_id, "result": run["result"]["text"]})
