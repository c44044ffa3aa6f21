"""The words of texts: pieces of long ones, and the telling words of a question."""

import re

CHUNK = 1_200  # characters of a piece: an average over more says little about any part of it
OVERLAP = 150
SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
WORD = re.compile(r"[^\W_]+(?:[-'.][^\W_]+)*")
MAX_WORDS = 16
_DULL = """
a an the and or of to in is are was were be been it its for with that this these those from on at by as i you he she we
they me my your our his her their what which who when where why how do does did not no any about can could will would
should has have had there here say said tell know
o os as um uma uns de do da dos das em no na nos nas por para com que se e ou eu voce ele ela nos eles qual quais quem
quando onde como foi ser esta este isso isto sobre ao aos mais nao sim
"""
DULL = frozenset(_DULL.split())


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
    """The words of a question that say what it is about, each once."""
    words = [word.lower() for word in WORD.findall(text)]
    return list(dict.fromkeys(word for word in words if word not in DULL and len(word) > 1))[:MAX_WORDS]


def coverage(words: list[str], text: str) -> float:
    """The share of these words that the text has."""
    has = {word.lower() for word in WORD.findall(text)}
    return sum(word in has for word in words) / len(words) if words else 0.0


def is_specific(words: list[str]) -> bool:
    """Whether a match of these words says anything: two of them, or one that is a number, code or the like."""
    return len(words) > 1 or any(any(c.isdigit() for c in word) for word in words)
