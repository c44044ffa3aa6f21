"""/ws/executions/{id}/monitor: an execution in the contract's five message types, as its events happen."""

from typing import Any

from config.http.fields import iso
from config.values.json_types import JsonObject
from orchestration.live.consumers import Monitor
from orchestration.live.feeds import Feed, FrameBody, FrameRenderer, frame_json
from orchestration.models import Run
from teams.execution.duration import expected_seconds
from teams.execution.state import State
from teams.models import KIND
from teams.serializers.executions import ExecutionStatusSerializer

STATUS_EVENTS = frozenset({"run_started", "run_completed", "run_failed", "run_cancelled"})
PROGRESS_FIELDS = ("execution_id", "progress", "current_step", "total_steps", "estimated_completion")


class ExecutionRenderer:
    """The frames of an execution, made from its events."""

    def __init__(self, run: Run) -> None:
        self.state = State.of(run, expected_seconds(run))

    def frames(self, event: dict[str, Any], seq: int) -> list[bytes]:
        """The frames of the event, numbered from `seq`; none for an event that is not the team's."""
        messages = enumerate(self._messages(event), start=seq)
        return [frame_json(message, event["ts"], seq=number) for number, message in messages]

    def greeting(self, after: int) -> bytes:
        """The execution's status."""
        return frame_json(self._status(), None, after=after)

    def _messages(self, event: JsonObject) -> list[FrameBody]:
        kind = event["kind"]
        if not kind.startswith("agent_") and kind not in STATUS_EVENTS:
            return []
        running = self.state.running_steps()
        self.state.fold(event)
        if kind == "run_started":
            return [self._status()]
        if kind in STATUS_EVENTS:
            return [*(_agent_status(id, step, "cancelled", event) for step, id in running), self._status()]
        if kind == "agent_started":
            return [_agent_message(event)]
        return [_agent_message(event), *self._result(event), self._progress()]

    def _result(self, event: JsonObject) -> list[FrameBody]:
        """The result or the error of an agent that has ended; none of one that was skipped."""
        kind, payload = event["kind"], event["payload"]
        data = {"execution_id": str(self.state.run_id), "agent_id": payload["agent_id"]}
        if kind == "agent_completed":
            return [("result_update", data | {"result": payload["result"]})]
        if kind == "agent_failed":
            details = {"code": payload["error_type"] or "AGENT_FAILED", "agent_run_id": payload.get("agent_run_id")}
            return [("error_update", data | {"error_message": payload["error"], "error_details": details})]
        return []

    def _status(self) -> FrameBody:
        return "status_update", ExecutionStatusSerializer.render(self.state)

    def _progress(self) -> FrameBody:
        status = ExecutionStatusSerializer.render(self.state)
        return "progress_update", {name: status[name] for name in PROGRESS_FIELDS}


def _agent_message(event: JsonObject) -> FrameBody:
    kind, payload = event["kind"], event["payload"]
    status = "running" if kind == "agent_started" else kind.removeprefix("agent_")
    return _agent_status(payload["agent_id"], payload["step_order"], status, event)


def _agent_status(agent_id: str, step: int, status: str, event: JsonObject) -> FrameBody:
    payload = event["payload"]
    time_key = "started_at" if status == "running" else "completed_at"
    data = {"agent_id": agent_id, "status": status, "step_order": step, time_key: iso(event["ts"])}
    if status != "cancelled":
        data |= {name: payload[name] for name in ("agent_run_id", "execution_time") if name in payload}
    return "agent_status_update", data


class ExecutionMonitor(Monitor):
    """The execution's status, then each frame as a message of its own."""

    kind = KIND

    def renderer(self, run: Run) -> FrameRenderer:
        """The renderer of this execution's frames."""
        return ExecutionRenderer(run)

    async def catch_up(self, feed: Feed, at: int) -> int:
        """Send the frames after this one; the number of the last one."""
        while at < len(feed.frames):
            at += 1
            await self.send_in_time(feed.frames[at - 1])
        return at
