"""What kind of picture some base64 is."""

_BEGINNINGS = {"iVBORw0KGgo": "image/png", "/9j/": "image/jpeg", "R0lGOD": "image/gif", "UklGR": "image/webp"}

KINDS = "PNG, JPEG, GIF or WebP"


def media_type(image: str) -> str | None:
    """The media type of an image in base64, by its first bytes; None: it is none of the usual kinds."""
    return next((kind for beginning, kind in _BEGINNINGS.items() if image.startswith(beginning)), None)
