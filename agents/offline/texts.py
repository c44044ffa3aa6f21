"""Texts as the rules compare them, and the words by which the offline model names itself."""

import re
import unicodedata

SIGNATURE = "(offline model)"
SELF_DESCRIPTION = (
    "This is Regente's built-in offline model. It follows fixed rules and understands little: it triages tickets, "
    "remembers and recalls, reads and writes files, counts and lists rows of tables, and calls tools that a message "
    "names. Set LLM_BASE_URL or a provider's key to use a language model."
)
QUOTES = "\"'“”‘’`"
WORD = re.compile(r"[^\W_]{2,}")
STOP_WORDS = frozenset(
    WORD.findall(
        "the and or of to in is are it for with that this from output what has be routed um uma de do da que para"
    )
)


def plain(text: str) -> str:
    """The text in lower case and without accents."""
    return "".join(c for c in unicodedata.normalize("NFKD", text.lower()) if not unicodedata.combining(c))


def words(text: str) -> set[str]:
    """The words of a text, plain, without stop words."""
    return {word for word in WORD.findall(plain(text)) if word not in STOP_WORDS}


def identifier(text: str) -> str:
    """The text in lower case with one underscore for all between its words, so that names can be found in it."""
    return re.sub(r"[\W_]+", "_", text.lower())


def pattern(text: str) -> re.Pattern[str]:
    """A form of request: case does not count, and `.` also matches line ends."""
    return re.compile(text, re.IGNORECASE | re.DOTALL)
