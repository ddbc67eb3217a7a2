"""Forms as browsers and the original's clients send them: urlencoded or multipart, as bytes."""

from dataclasses import dataclass, field
from urllib.parse import unquote_to_bytes

from python_multipart import FormParser
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import Field, File, parse_options_header

from schemas.errors import InvalidInput

MULTIPART = "multipart/form-data"
URLENCODED = "application/x-www-form-urlencoded"

_MAX_FIELDS = 32
_MAX_FIELD_NAME_BYTES = 100
_IN_MEMORY = 1 << 40  # the body is in memory already; a file on disk would win nothing


class MissingField(InvalidInput):
    """A field that must be there is not (HTTP 422, as in the original)."""

    http_status = 422


@dataclass(slots=True)
class Form:
    """Fields and files by name; of several with one name the last counts."""

    fields: dict[str, bytes] = field(default_factory=dict)
    files: dict[str, tuple[str, bytes]] = field(default_factory=dict)
    """File name and content."""

    def text(self, name: str, default: str | None = None) -> str:
        """A field's text.

        Raises:
            MissingField: it is not there and there is no default.
            InvalidInput: it is not UTF-8.
        """
        value = self.fields.get(name)
        if value is None:
            if default is None:
                raise MissingField(f"the form field {name} is missing")
            return default
        return utf8(value, f"the form field {name}")


def utf8(value: bytes, what: str) -> str:
    """``value`` as text that can be stored.

    Raises:
        InvalidInput: it is not UTF-8, or has a NUL character.
    """
    try:
        text = value.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidInput(f"{what} is not UTF-8: byte {error.start} is {value[error.start]:#04x}") from None
    if "\0" in text:
        raise InvalidInput(f"{what} has a NUL character at position {text.index(chr(0))}")
    return text


def parse_form(content_type: str, body: bytes) -> Form:
    """The form in ``body``.

    Raises:
        InvalidInput: it is neither of the two kinds, or broken.
    """
    kind, options = parse_options_header(content_type)
    if kind == URLENCODED.encode():
        return _urlencoded(body)
    if kind != MULTIPART.encode():
        raise InvalidInput(
            f"send a form: {MULTIPART} or {URLENCODED}, not {content_type[:80] or 'a body without type'}"
        )
    boundary = options.get(b"boundary", b"")
    if not boundary:
        raise InvalidInput(f"the Content-Type {MULTIPART} has no boundary")
    return _multipart(body, boundary)


def _urlencoded(body: bytes) -> Form:
    form = Form()
    if body.count(b"&") >= _MAX_FIELDS:
        raise InvalidInput(f"the form has more than {_MAX_FIELDS} fields")
    for pair in body.split(b"&"):
        if pair:
            name, _, value = pair.partition(b"=")
            form.fields[_name(_unquote(name))] = _unquote(value)
    return form


def _unquote(value: bytes) -> bytes:
    return unquote_to_bytes(value.replace(b"+", b" "))


def _multipart(body: bytes, boundary: bytes) -> Form:
    form = Form()
    whole = False

    def on_field(part: Field) -> None:
        _count(form)
        form.fields[_name(part.field_name)] = part.value or b""

    def on_file(part: File) -> None:
        _count(form)
        name = (part.file_name or b"").decode("utf-8", "replace")
        form.files[_name(part.field_name)] = (name, _content(part))

    def on_end() -> None:
        nonlocal whole
        whole = True

    try:
        parser = FormParser(
            MULTIPART, on_field, on_file, on_end, boundary=boundary, config={"MAX_MEMORY_FILE_SIZE": _IN_MEMORY}
        )
        parser.write(body)
        parser.finalize()
    except FormParserError as error:
        raise InvalidInput(f"the multipart body is broken: {error}") from None
    if not whole:
        raise InvalidInput("the multipart body is cut off: its closing boundary is missing")
    return form


def _content(part: File) -> bytes:
    content = part.file_object
    content.seek(0)
    return content.read()


def _count(form: Form) -> None:
    if len(form.fields) + len(form.files) >= _MAX_FIELDS:
        raise InvalidInput(f"the form has more than {_MAX_FIELDS} fields")


def _name(name: bytes | None) -> str:
    if name is None or len(name) > _MAX_FIELD_NAME_BYTES:
        raise InvalidInput(f"every form field needs a name of at most {_MAX_FIELD_NAME_BYTES} bytes")
    return name.decode("utf-8", "replace")
