"""What the pages for people show: their code blocks, and answers with members left out."""

import re
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True, slots=True)
class Block:
    """A code block of a page."""

    language: str
    text: str


def blocks(page: Path) -> list[Block]:
    """Return the code blocks of a page in their order."""
    fenced = re.compile(r"^```(\S*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
    found = fenced.findall(page.read_text(encoding="utf-8"))
    return [Block(language, text) for language, text in found]


def is_part(shown: object, whole: object) -> bool:
    """Tell whether what a page shows is an answer with some of its members left out."""
    match shown, whole:
        case dict(), dict():
            return all(k in whole and is_part(v, whole[k]) for k, v in shown.items())
        case [dict(), *_], list():
            return all(any(is_part(one, other) for other in whole) for one in shown)
        case _:
            return shown == whole
