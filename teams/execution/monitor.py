"""/ws/executions/{id}/monitor: an execution in the contract's five message types, as its events happen."""

from typing import Any

from config.http.fields import iso
from orchestration.live.consumers import Monitor
from orchestration.live.feeds import Feed, FrameBody, FrameRenderer, frame_json
from orchestration.models import Run
from teams.execution.state import State, usual_seconds
from teams.models import KIND
from teams.serializers.executions import ExecutionStatusSerializer


class ExecutionRenderer:
    """An execution as its monitors see it."""

    def __init__(self, run: Run) -> None:
        self.state = State.of(run, usual_seconds(run))

    def frames(self, event: dict[str, Any], seq: int) -> list[bytes]:
        """The frames of the event; none for what is no affair of the team's."""
        return [
            frame_json(told, event["ts"], seq=number) for number, told in enumerate(self._messages(event), start=seq)
        ]

    def _messages(self, event: dict[str, Any]) -> list[FrameBody]:
        kind, told = event["kind"], event["payload"]
        if not kind.startswith("agent_") and kind not in STATUS_EVENTS:
            return []
        left = [(step, id) for step, (id, doing) in self.state.agents.items() if doing == "running"]
        self.state.fold(event)
        if kind == "run_started":
            return [self._status()]
        if kind in STATUS_EVENTS:
            stopped = [_agent(id, step, "cancelled", event) for step, id in left]
            return [*stopped, self._status()]
        agent_id, step = told["agent_id"], told["step_order"]
        status = "running" if kind == "agent_started" else kind.removeprefix("agent_")
        frames = [_agent(agent_id, step, status, event)]
        if kind == "agent_started":
            return frames
        about = {"execution_id": str(self.state.run_id), "agent_id": agent_id}
        if kind == "agent_completed":
            frames.append(("result_update", about | {"result": told["result"]}))
        if kind == "agent_failed":
            details = {"code": told["error_type"] or "AGENT_FAILED", "agent_run_id": told.get("agent_run_id")}
            frames.append(("error_update", about | {"error_message": told["error"], "error_details": details}))
        return [*frames, self._progress()]

    def greeting(self, after: int) -> bytes:
        """The execution's status."""
        return frame_json(self._status(), None, after=after)

    def _status(self) -> FrameBody:
        return "status_update", ExecutionStatusSerializer.render(self.state)

    def _progress(self) -> FrameBody:
        status = ExecutionStatusSerializer.render(self.state)
        names = ("execution_id", "progress", "current_step", "total_steps", "estimated_completion")
        return "progress_update", {name: status[name] for name in names}


STATUS_EVENTS = frozenset({"run_started", "run_completed", "run_failed", "run_cancelled"})


def _agent(agent_id: str, step: int, status: str, event: dict[str, Any]) -> FrameBody:
    told = event["payload"]
    moment = "started_at" if status == "running" else "completed_at"
    data = {"agent_id": agent_id, "status": status, "step_order": step, moment: iso(event["ts"])}
    more = {name: told[name] for name in ("agent_run_id", "execution_time") if name in told and status != "cancelled"}
    return "agent_status_update", data | more


class ExecutionMonitor(Monitor):
    """/ws/executions/{id}/monitor: how the execution stands, then each frame."""

    kind = KIND

    def renderer(self, run: Run) -> FrameRenderer:
        """The execution, in the contract's messages."""
        return ExecutionRenderer(run)

    async def catch_up(self, feed: Feed, at: int) -> int:
        """Send each frame by itself."""
        while at < len(feed.frames):
            at += 1
            await self.send_in_time(feed.frames[at - 1])
        return at
