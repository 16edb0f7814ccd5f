"""A small XML reader for VTK's files: no DTD, no entities, bounded depth and size."""

from dataclasses import dataclass, field
from xml.parsers import expat

from geometry.mesh import MeshError
from geometry.mesh_files.raw import EXPORT_AGAIN

_MAX_DEPTH = 32
_MAX_ELEMENTS = 100_000


@dataclass(slots=True, kw_only=True)
class Element:
    """One element while the tree is built; ``text`` is what stands directly in it."""

    tag: str
    attributes: dict[str, str]
    children: list["Element"] = field(default_factory=list)
    pieces: list[str] = field(default_factory=list)

    @property
    def text(self) -> str:
        """The text directly in the element."""
        return "".join(self.pieces)

    def named(self, tag: str) -> list["Element"]:
        """Return the direct children called ``tag``."""
        return [child for child in self.children if child.tag == tag]


class _Builder:
    def __init__(self) -> None:
        self.stack = [Element(tag="", attributes={})]
        self.count = 0

    def start(self, tag: str, attributes: dict[str, str]) -> None:
        self.count += 1
        if self.count > _MAX_ELEMENTS or len(self.stack) > _MAX_DEPTH:
            raise MeshError("unsafe-xml", "the XML has too many or too deeply nested elements")
        element = Element(tag=tag, attributes=attributes)
        self.stack[-1].children.append(element)
        self.stack.append(element)

    def end(self, _: str) -> None:
        self.stack.pop()

    def text(self, piece: str) -> None:
        self.stack[-1].pieces.append(piece)


def _refuse_dtd(*_: object) -> None:
    raise MeshError("unsafe-xml", "a document type or entity in the XML is refused; remove it")


def parsed_xml(data: bytes) -> Element:
    """Return the root element.

    Raises:
        MeshError: ``unsafe-xml`` for a document type or entities, ``malformed`` otherwise.
    """
    builder = _Builder()
    parser = expat.ParserCreate()
    parser.StartDoctypeDeclHandler = _refuse_dtd
    parser.EntityDeclHandler = _refuse_dtd
    parser.StartElementHandler = builder.start
    parser.EndElementHandler = builder.end
    parser.CharacterDataHandler = builder.text
    parser.buffer_text = True
    try:
        parser.Parse(data, True)
    except MeshError:
        raise
    except (expat.ExpatError, ValueError, LookupError) as error:
        raise MeshError("malformed", f"the XML cannot be read ({error}); {EXPORT_AGAIN}") from None
    return builder.stack[0].children[0]
