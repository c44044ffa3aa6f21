"""A turn as SSE (seed 000 §5, §14): connected, text…, tool_call…, complete or error.

The tables are the truth: tool calls and the end are read from them, and so is whatever of the text was not received
while the model wrote it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator
from uuid import UUID

from agents.conversations.program import STEP
from agents.conversations.turn_frames import TurnFrames, place_of
from orchestration.live.change_listener import followers
from orchestration.live.sse import COMMENT, COMMENT_S, sse_frame
from orchestration.live.text_listener import TextFollower, text_listener
from orchestration.models import FINAL
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
ANSWERS_BEFORE = """
SELECT DISTINCT step FROM orchestration_runevent
WHERE run_id = %s AND seq <= %s AND kind = 'llm_call' AND NOT payload ? 'error'
"""


async def turn_stream(run_id: UUID, conversation_id: str, last_event_id: str = "") -> AsyncGenerator[bytes, None]:
    """The turn's frames from its beginning, or from where the client was."""
    turn = TurnFrames(run_id, *place_of(last_event_id))
    payload = {"runId": run_id, "stepId": step_id(run_id, STEP), "conversation_id": conversation_id}
    yield sse_frame({"type": "connected"} | payload)
    if turn.seq:
        await _restore(turn)
    async with text_listener.follow(run_id) as follower:
        latest = await text_listener.latest_text(run_id)
        if latest is not None:
            follower.pieces.appendleft(latest)
        quiet_since = asyncio.get_running_loop().time()
        while True:
            has_frames = False
            async for part in _new_frames(turn, follower):
                yield part
                has_frames = True
            if turn.is_over:
                async for part in _end(turn):
                    yield part
                return
            now = asyncio.get_running_loop().time()
            if has_frames:
                quiet_since = now
            elif now - quiet_since >= COMMENT_S:
                yield COMMENT
                quiet_since = now
            await follower.wait(COMMENT_S - (now - quiet_since))


async def _new_frames(turn: TurnFrames, follower: TextFollower) -> AsyncIterator[bytes]:
    """The frames of all that has come in."""
    while follower.is_changed or follower.pieces:
        if follower.is_changed or (follower.pieces and not turn.belongs_here(follower.pieces[0])):
            follower.is_changed = False
            for part in await _event_frames(turn):
                yield part
            if turn.is_over:
                return
        while follower.pieces and not follower.is_changed:
            piece = follower.pieces.popleft()
            for part in await turn.text_frames(piece):
                yield part
            if follower.pieces and not turn.belongs_here(follower.pieces[0]):
                break


async def _event_frames(turn: TurnFrames) -> list[bytes]:
    frames: list[bytes] = []
    while rows := await followers.read(ROWS, {"run": turn.run_id, "after": turn.seq}):
        for row in rows:
            frames += turn.event_frames(row)
            if turn.is_over:
                return frames
    return frames


async def _restore(turn: TurnFrames) -> None:
    """Put a client that comes back where there is something to send: the last frame of a turn that has ended, or the
    beginning when its place is none of this turn's. It has the answers that were recorded before its place.
    """
    (run,) = await followers.read(STATE, [turn.run_id])
    last = run["seq"] or 0
    if turn.seq > last:
        turn.seq, turn.offset, turn.crc = 0, 0, 0
    elif turn.seq == last and run["status"] in FINAL:
        turn.seq = last - 1
    turn.answers = {row["step"] for row in await followers.read(ANSWERS_BEFORE, [turn.run_id, turn.seq])}


async def _end(turn: TurnFrames) -> AsyncIterator[bytes]:
    """The frame that closes a completed turn; a failed one has had its error."""
    (run,) = await followers.read(STATE, [turn.run_id])
    if run["status"] == "completed":
        yield turn.frame({"type": "complete", "runId": turn.run_id, "result": run["result"]["text"]})
