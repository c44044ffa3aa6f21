"""What a strict provider would refuse in a request: the checks that the large ones and their gateways make."""

import json
import re
from typing import Any

NAME = re.compile(r"[a-zA-Z0-9_-]{1,64}")


def faults(request: dict[str, Any]) -> list[str]:
    """Sentences about what is wrong with this request; none when any provider would take it."""
    names = [tool["function"]["name"] for tool in request.get("tools", ())]
    found = [f"function {name!r}" for name in names if not NAME.fullmatch(name) or names.count(name) > 1]
    open_calls: list[str] = []
    seen: set[str] = set()
    for message in request["messages"]:
        if message["role"] == "tool":
            if message.get("tool_call_id") not in open_calls:
                found.append(f"result of no call: {message}")
            else:
                open_calls.remove(message["tool_call_id"])
            found += [f"empty result: {message}"] * (not message["content"])
            continue
        found += [f"calls without results: {open_calls}"] * bool(open_calls)
        calls = message.get("tool_calls") or []
        open_calls = [call["id"] for call in calls]
        found += _of_calls(calls, seen)
        found += [f"empty: {message}"] * (not calls and not (message["content"] or "").strip())
    return found + [f"calls without results: {open_calls}"] * bool(open_calls) + _of_roles(request) + _of_text(request)


def _of_calls(calls: list[dict[str, Any]], seen: set[str]) -> list[str]:
    found = []
    for call in calls:
        if not call["id"] or call["id"] in seen:
            found.append(f"call id {call['id']!r}")
        seen.add(call["id"])
        if not NAME.fullmatch(call["function"]["name"]):
            found.append(f"call of {call['function']['name']!r}")
        try:
            fits = isinstance(json.loads(call["function"]["arguments"], parse_constant=_refused), dict)
        except ValueError:
            fits = False
        found += [] if fits else [f"arguments {call['function']['arguments']!r}"]
    return found


def _refused(name: str) -> None:
    raise ValueError(name)


def _of_roles(request: dict[str, Any]) -> list[str]:
    """Templates of open models want question and answer in turn."""
    roles = [message["role"] for message in request["messages"] if message["role"] != "system"]
    pairs = zip(roles, roles[1:], strict=False)
    return ["two questions in a row" for one, two in pairs if one == two == "user"]


def _of_text(request: dict[str, Any]) -> list[str]:
    try:
        json.dumps(request, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        return ["half a character"]
    return []
