"""Keeps a conversation under the model's window: long tool results are cut, then the oldest exchanges are left out.

What goes is said in one line, so that the model knows that there was more. System messages, the last question and what
came after it stay; a call never loses its result, for providers refuse the one without the other.
"""

from dataclasses import replace

from agents.llm.chat_model import ANSWER_TOKENS, ModelRequest, rough_tokens
from agents.llm.messages import Message, system

MAX_OLD_RESULT = 2_000  # characters that are left of a tool's result when room is needed
MIN_RESULT = 200
OMISSION_NOTE = "[{count} earlier messages of this conversation are left out for want of room.]"
CUT_NOTE = " … [cut: the result had {count} characters]"


def fit_messages(request: ModelRequest, window: int) -> list[Message]:
    """The request's messages, as many of them and as much of each as the window has room for."""
    room = window - (request.profile.max_tokens or min(ANSWER_TOKENS, window // 4))
    messages = request.messages
    if _fits(request, messages, room):
        return messages
    messages = _shorten(messages, MAX_OLD_RESULT)
    while not _fits(request, messages, room):
        shorter = _without_oldest(messages)
        if shorter is None:
            break
        messages = shorter
    if not _fits(request, messages, room):
        messages = _shorten(messages, MIN_RESULT)
    if not _fits(request, messages, room):
        messages = _cut_longest(request, messages, room)
    return [{key: value for key, value in message.items() if key != "_note"} for message in messages]


def _fits(request: ModelRequest, messages: list[Message], room: int) -> bool:
    return rough_tokens(replace(request, messages=messages)) <= room


def _shorten(messages: list[Message], max_length: int) -> list[Message]:
    """Tool results cut to so many characters."""
    return [
        message | {"content": message["content"][:max_length] + CUT_NOTE.format(count=len(message["content"]))}
        if message["role"] == "tool" and len(str(message.get("content") or "")) > max_length + 100
        else message
        for message in messages
    ]


def _without_oldest(messages: list[Message]) -> list[Message] | None:
    """Without the oldest exchange (a question and all up to the next one); None when only the last one is left."""
    starts = [at for at, message in enumerate(messages) if message["role"] == "user"]
    if len(starts) < 2:
        return None
    head = [message for message in messages[: starts[0]] if not message.get("_note")]
    count = starts[1] - starts[0] + sum(message.get("_note", 0) for message in messages[: starts[0]])
    note = system(OMISSION_NOTE.format(count=count)) | {"_note": count}
    return [*head, note, *messages[starts[1] :]]


def _cut_longest(request: ModelRequest, messages: list[Message], room: int) -> list[Message]:
    """The longest text cut in its middle, again and again, until all fits: the last resort, a single huge question."""
    messages = [dict(message) for message in messages]
    for _ in range(60):
        longest = max(messages, key=lambda message: len(str(message.get("content") or "")))
        text = str(longest.get("content") or "")
        if _fits(request, messages, room) or len(text) < 400:
            break
        keep = max(len(text) * 2 // 3, 200)
        longest["content"] = f"{text[: keep * 2 // 3]}\n[… cut …]\n{text[-keep // 3 :]}"
    return messages
