"""Which tools an app may call: those that its scopes name."""

from functools import partial

from agents.tools.registry import ToolCall
from config.errors import ScopeDenied
from orchestration.models import App


async def check_scope(call: ToolCall) -> None:
    """Refuse a tool that the run's app has no scope for, and those that only an app may call when there is none."""
    app_id = call.run.app_id
    if not app_id:
        if call.tool.needs_scope:
            raise ScopeDenied(f"The tool {call.tool.id} may be called only by an app that has a scope for it.")
        return
    scopes = await call.ctx.shared((call.tenant_id, "scopes", app_id), partial(scopes_of, call.tenant_id, app_id))
    matches = {("tool", call.tool.id), ("external", call.tool.id)}
    if call.tool.id.startswith("memory."):
        matches |= {("memory", call.tool.id), ("memory", call.tool.id.removeprefix("memory."))}
    if not matches & scopes:
        raise ScopeDenied(f"The app {app_id} has no scope for the tool {call.tool.id}.", app_id=app_id)


def scopes_of(tenant_id: str, app_id: str) -> frozenset[tuple[str, str]]:
    """(type, value) of what the app may touch; nothing when it is gone."""
    app = App.objects.for_tenant(tenant_id).filter(key=app_id).first()
    return frozenset((scope["type"], scope["value"]) for scope in app.scopes) if app else frozenset()
