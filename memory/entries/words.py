"""The words of texts: pieces of long ones, and the key words of a query."""

import re

CHUNK = 1_200  # characters of a piece: a vector over more matches no part of it well
OVERLAP = 150
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
WORD = re.compile(r"[^\W_]+(?:[-'.][^\W_]+)*")
MAX_WORDS = 16
_STOP_WORDS = """
a an the and or of to in is are was were be been it its for with that this these those from on at by as i you he she we
they me my your our his her their what which who when where why how do does did not no any about can could will would
should has have had there here say said tell know
o os as um uma uns de do da dos das em no na nos nas por para com que se e ou eu voce ele ela nos eles qual quais quem
quando onde como foi ser esta este isso isto sobre ao aos mais nao sim
"""
STOP_WORDS = frozenset(_STOP_WORDS.split())


def pieces(text: str) -> list[str]:
    """The text in overlapping pieces of at most CHUNK characters, cut between sentences where that is possible."""
    if len(text) <= CHUNK:
        return [text]
    parts, start = [], 0
    while start < len(text):
        end = min(start + CHUNK, len(text))
        if end < len(text):
            cuts = [match.end() for match in SENTENCE_END.finditer(text, start + CHUNK // 2, end)]
            blank = text.rfind(" ", start + CHUNK // 2, end)
            end = cuts[-1] if cuts else blank + 1 if blank > 0 else end
        parts.append(text[start:end].strip())
        start = end if end == len(text) else max(end - OVERLAP, start + 1)
    return [piece for piece in parts if piece]


def key_words(text: str) -> list[str]:
    """The words of a query without stop words, each once."""
    words = [word.lower() for word in WORD.findall(text)]
    return list(dict.fromkeys(word for word in words if word not in STOP_WORDS and len(word) > 1))[:MAX_WORDS]


def coverage(words: list[str], text: str) -> float:
    """The share of these words that the text has."""
    has = {word.lower() for word in WORD.findall(text)}
    return sum(word in has for word in words) / len(words) if words else 0.0


def is_specific(words: list[str]) -> bool:
    """Whether a match of these words counts: there are two of them, or one is a number, a code or the like."""
    return len(words) > 1 or any(any(c.isdigit() for c in word) for word in words)
