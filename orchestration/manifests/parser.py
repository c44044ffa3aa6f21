"""A manifest as clients send it → the fields of an App. Both forms of seed 000 §4 are read: parts beside `app`, and
parts inside it.
"""

from collections.abc import Iterator
from typing import Any

from config.errors import Invalid
from config.values.json_types import JsonObject
from orchestration.models import Mode, Visibility

VERSION = "1.0.0"
SCOPE_TYPES = ("tool", "memory", "external")
SCOPES_OF = {"tools": "tool", "memory": "memory", "external": "external"}  # the nested form's keys
MAX_PARTS = 500  # scopes, workflows or actions of an app: its one row has them all
MAX_KEY_LENGTH, MAX_NAME_LENGTH = 64, 255  # characters: the columns' widths


class Problems:
    """What is wrong, by field."""

    def __init__(self) -> None:
        self.by_field: dict[str, list[str]] = {}

    def add(self, field: str, sentence: str) -> None:
        self.by_field.setdefault(field, []).append(sentence)

    def text(
        self, source: JsonObject, key: str, at: str, max_length: int = MAX_NAME_LENGTH, required: bool = False
    ) -> str:
        """The text under this key; "" when it is missing or wrong."""
        value = source.get(key)
        if value is None or value == "":
            if required:
                self.add(at, "This field is required.")
            return ""
        if not isinstance(value, str) or len(value) > max_length:
            self.add(at, f"Must be a text of at most {max_length} characters.")
            return ""
        return value

    def choice(self, value: Any, at: str, choices: tuple[str, ...]) -> str:
        """The value, when it is one of these."""
        if value not in choices:
            self.add(at, f"Must be one of {', '.join(choices)}.")
            return choices[0]
        return str(value)

    def objects(self, value: Any, at: str) -> Iterator[tuple[str, JsonObject]]:
        """(place, object) of each item of a list."""
        if not isinstance(value, list) or len(value) > MAX_PARTS:
            if value is not None:
                self.add(at, f"Must be an array of at most {MAX_PARTS} objects.")
            return
        for number, item in enumerate(value):
            if isinstance(item, dict):
                yield f"{at}[{number}]", item
            else:
                self.add(f"{at}[{number}]", "Must be an object.")


def app_fields(body: JsonObject) -> JsonObject:
    """The App's key, name, …, scopes, workflows, actions; Invalid naming every wrong field."""
    problems = Problems()
    if body.get("version") != VERSION:
        problems.add("version", f"Must be {VERSION}, the only version of manifests that there is.")
    app = body.get("app")
    if not isinstance(app, dict):
        problems.add("app", "Must be an object with id and name.")
        raise Invalid(problems.by_field)
    nested = any(name in app for name in ("scopes", "workflows", "actions"))
    parts = app if nested else body
    at = "app." if nested else ""
    workflows = _workflows(parts.get("workflows"), f"{at}workflows", problems)
    fields = {
        "key": problems.text(app, "id", "app.id", MAX_KEY_LENGTH, required=True),
        "name": problems.text(app, "name", "app.name", required=True),
        "description": problems.text(app, "description", "app.description", 10_000),
        "visibility": problems.choice(app.get("visibility", "private"), "app.visibility", tuple(Visibility.values)),
        "icon": problems.text(app, "icon", "app.icon", 1000),
        "owner": problems.text(app, "owner", "app.owner"),
        "scopes": _scopes(parts.get("scopes"), f"{at}scopes", problems),
        "workflows": workflows,
        "actions": _actions(parts.get("actions"), f"{at}actions", {flow["alias"] for flow in workflows}, problems),
    }
    if "/" in fields["key"]:
        problems.add("app.id", "Must not hold a slash: it is part of URLs.")
    if problems.by_field:
        raise Invalid(problems.by_field)
    return fields


def _scopes(source: Any, at: str, problems: Problems) -> list[dict[str, str]]:
    """[{type, value}], each once; {tools: [], memory: [], external: []} is the nested form."""
    if isinstance(source, dict):
        flat = []
        for name, kind in SCOPES_OF.items():
            values = source.get(name, [])
            if not isinstance(values, list):
                problems.add(f"{at}.{name}", "Must be an array of texts.")
                continue
            flat += [{"scope_type": kind, "scope_value": value} for value in values]
        source = flat
    scopes: dict[tuple[str, str], None] = {}
    for place, scope in problems.objects(source, at):
        kind = problems.choice(scope.get("scope_type", scope.get("type")), f"{place}.scope_type", SCOPE_TYPES)
        key = "scope_value" if "scope_value" in scope else "value"
        value = problems.text(scope, key, f"{place}.scope_value", required=True)
        scopes[kind, value] = None
    return [{"type": kind, "value": value} for kind, value in scopes]


def _workflows(source: Any, at: str, problems: Problems) -> list[dict[str, str]]:
    workflows: dict[str, dict[str, str]] = {}
    for place, flow in problems.objects(source, at):
        alias_key = "alias" if "alias" in flow else "id"
        alias = problems.text(flow, alias_key, f"{place}.{alias_key}", required=True)
        id_key = "workflow_ref" if "workflow_ref" in flow else "workflow_id"
        if alias in workflows:
            problems.add(f"{place}.{alias_key}", f"The alias {alias!r} is taken by another workflow of this app.")
        workflows[alias] = {
            "alias": alias,
            "label": problems.text(flow, "label", f"{place}.label") or alias,
            "workflow_id": problems.text(flow, id_key, f"{place}.{id_key}", MAX_KEY_LENGTH, required=True),
            "default_mode": problems.choice(
                flow.get("default_mode", "draft"), f"{place}.default_mode", tuple(Mode.values)
            ),
        }
    return list(workflows.values())


def _actions(source: Any, at: str, aliases: set[str], problems: Problems) -> list[JsonObject]:
    actions: dict[str, JsonObject] = {}
    for place, action in problems.objects(source, at):
        id_key = "action_id" if "action_id" in action else "id"
        id = problems.text(action, id_key, f"{place}.{id_key}", 128, required=True)
        alias_key = "workflow_alias" if "workflow_alias" in action else "workflow_id"
        alias = problems.text(action, alias_key, f"{place}.{alias_key}", required=True)
        mapping = action.get("input_mapping", {})
        if id in actions:
            problems.add(f"{place}.{id_key}", f"There is another action {id!r} in this app.")
        if alias and alias not in aliases:
            problems.add(f"{place}.{alias_key}", f"There is no workflow with the alias {alias!r} in this app.")
        if not isinstance(mapping, dict):
            problems.add(f"{place}.input_mapping", "Must be an object.")
            mapping = {}
        label = problems.text(action, "label", f"{place}.label") or id
        actions[id] = {"id": id, "label": label, "workflow_alias": alias, "input_mapping": mapping}
    return list(actions.values())
