"""Operation ids and summaries, in one style: `workflows_list`, "List workflows"."""

from typing import Any

ACTIONS = {
    "list": "list",
    "retrieve": "get",
    "create": "create",
    "update": "update",
    "partial_update": "patch",
    "destroy": "delete",
}
METHODS = {"get": "get", "post": "create", "put": "update", "patch": "patch", "delete": "delete"}
OUTSIDE_RESOURCES = {
    "/": "root",
    "/api/v1": "api_root",
    "/api/v1/healthz": "api_healthz",
    "/metrics": "process_metrics",
}
SUMMARIES = {
    "list": "List {many}",
    "get": "Get one {one}",
    "create": "Create one {one}",
    "update": "Change one {one}",
    "patch": "Change one {one}, only the fields sent",
    "delete": "Delete one {one}",
}


def operation_id(view: Any, path: str, method: str) -> str:
    """`{resource}_{verb}`; of an action or a view with one method the words of its path alone."""
    if path in OUTSIDE_RESOURCES:
        return OUTSIDE_RESOURCES[path]
    resource = path.removeprefix("/api/v1/").removeprefix("/api/").strip("/")
    words = [word.replace("-", "_") for word in resource.split("/") if word and not word.startswith("{")]
    verb = _verb(view, method)
    return "_".join([*words, verb] if verb else words)


def summary(view: Any, method: str) -> str | None:
    """The summary of a plain operation on a resource; None of anything else."""
    template = SUMMARIES.get(_verb(view, method))
    model = getattr(view, "model", None)
    if template is None or model is None:
        return None
    noun = view.noun or str(model._meta.verbose_name)
    plural = f"{noun[:-1]}ies" if noun.endswith("cy") else f"{noun}s"
    return template.format(one=noun, many=plural)


def _verb(view: Any, method: str) -> str:
    action = getattr(view, "action", None)
    if action in ACTIONS:
        return ACTIONS[action]
    if action:  # one of several methods that do the same has no verb
        return "" if next(iter(view.action_map)) == method.lower() else method.lower()
    methods = [name for name in METHODS if hasattr(view, name)]
    return METHODS[method.lower()] if len(methods) > 1 else ""
