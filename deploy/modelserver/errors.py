"""Errors as Ollama's API shows them: an HTTP status and ``{"error": text}``."""


class ApiError(Exception):
    """The request can't be answered."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.message = message


class ServerBusy(ApiError):
    """Every slot is taken and as many requests wait as may. The text is Ollama's."""

    def __init__(self) -> None:
        super().__init__(503, "server busy, please try again.  maximum pending requests exceeded")


def model_not_found(name: str) -> ApiError:
    """There is no model of that name here."""
    return ApiError(404, f"model '{name[:200]}' not found")
