"""Choices by rules: the route of a router node, the condition of an edge, the next agent of a coordinated team."""

import json
import re

from agents.offline.texts import SIGNATURE, words

COORDINATOR_PROMPT = "You coordinate a team. Choose who works next"
LAST_TURN = "This is your last turn: give the answer now."
RESULT_HEADING = re.compile(r"^(\S+)(?: failed)?:", re.MULTILINE)  # an agent that has had its turn
ROUTE = re.compile(r"[-*] (\S+?)(?::\s+(.*))?")
CONDITION = re.compile(r"(\d+)\. (.+)")


def best_route(text: str) -> str:
    """The id of the listed route that shares most words with the rest of the text; the first one when none does."""
    routes, rest = _split_list(ROUTE, text)
    scores = [len(words(f"{id} {description}") & rest) for id, description in routes]
    return routes[scores.index(max(scores))][0] if routes else ""


def best_condition(text: str) -> str:
    """The number of the listed condition that shares most words with the rest of the text, "0" when none shares any."""
    conditions, rest = _split_list(CONDITION, text)
    scores = [len(words(condition) & rest) for _, condition in conditions]
    return conditions[scores.index(max(scores))][0] if any(scores) else "0"


def _split_list(item: re.Pattern[str], text: str) -> tuple[list[tuple[str, str]], set[str]]:
    """(the items of the text's first list of this form, the words of what follows it)."""
    items: list[tuple[str, str]] = []
    lines = text.splitlines()
    for at, line in enumerate(lines):
        match = item.fullmatch(line.strip())
        if match:
            items.append((match[1], match[2] or ""))
        elif items:
            return items, words("\n".join(lines[at:]))
    return items, set()


def next_agent(prompt: str) -> str:
    """A coordinator's choice as JSON: each agent of the team gets the task once, then their results are the answer."""
    agents, _, rest = prompt.partition("The agents:\n")[2].partition("\n\nThe task:\n")
    task, _, rest = rest.partition("\n\nResults so far:\n")
    results = rest.rpartition("\n\n")[0]
    previous = set(RESULT_HEADING.findall(results))
    remaining = [id for id in agents.replace("- ", "").splitlines() if id not in previous]
    if remaining and LAST_TURN not in prompt:
        return json.dumps({"next": remaining[0], "message": task.strip()}, ensure_ascii=False)
    return json.dumps({"next": None, "message": f"{results}\n{SIGNATURE}"}, ensure_ascii=False)
