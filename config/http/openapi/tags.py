"""The tags of the document: what a person looks under, by path."""

import re
from typing import NamedTuple


class Tag(NamedTuple):
    """The operations whose path (below /api/v1, or whole) matches."""

    name: str
    description: str
    path: str


TAGS = (
    Tag("Agent jobs", "Agents at work in the background: start, poll, callbacks.", r"/api/ai/.*|integration/.*"),
    Tag("Code tasks", "A coding agent in a sandbox: files in, files out.", r"/tasks.*|/health"),
    Tag("Sign-in", "Register, log in, refresh, log out; one's own profile.", r"auth/(?!users|invitations|api-keys).*"),
    Tag("Members", "A tenant, its users and its invitations: for its admins.", r"auth/(users|invitations).*|tenant"),
    Tag("API keys", "Keys for programs that call this API.", r"auth/api-keys.*"),
    Tag("Provider keys", "A user's own keys for model providers.", r"api-keys.*"),
    Tag("Workflows", "Definitions, their versions, and starting runs of them.", r"workflows.*"),
    Tag("Drafts", "The staged effects of a draft run: review, apply, discard.", r"runs/.*/(changes|apply|discard)"),
    Tag("Runs", "Runs of every kind: state, steps, events, streams, cancel.", r"runs.*"),
    Tag("Approvals", "What runs ask people, and their decisions.", r"approvals.*"),
    Tag("Apps", "Imported manifests, and the actions that they offer.", r"apps.*"),
    Tag("Agents", "Agents, and conversations with them.", r"agents.*|conversations.*"),
    Tag("Tools", "Tools that agents and workflows call.", r"tools.*"),
    Tag("Teams", "Agents that work together, and executions of them.", r"(teams|executions).*"),
    Tag("Files", "A tenant's files and their versions.", r"files.*"),
    Tag("Data tables", "The tenant's own tables, which agents query.", r"data/.*"),
    Tag("Policies", "Rules as data: allow, deny, ask a person, force a draft.", r"policies.*"),
    Tag("Budgets", "Limits on money and model calls.", r"budgets.*"),
    Tag("Audit", "Who did what.", r"audit/.*"),
    Tag("Alerts", "Alert rules, and the alerts that fired.", r"alerts/.*"),
    Tag("Metrics", "A tenant's metrics.", r"metrics"),
    Tag("System", "Health of the product and of its parts.", r".*"),
)


def tag_of(path: str) -> str:
    """The name of the path's tag."""
    part = path.removeprefix("/api/v1/").rstrip("/")
    return next(tag.name for tag in TAGS if re.fullmatch(tag.path, part))
