"""The one error of this sandbox: a request the vendor answers with a 4xx."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from habeas.testing.sandbox import Reply

__all__ = ["Refused", "error_body"]

_USUAL = {
    400: "invalidRequest",
    403: "forbidden",
    404: "notFound",
    409: "conflict",
    410: "notAvailable",
    412: "conflict",
    424: "notFound",
    500: "internalError",
}
"""Status → error type, where the vendor documents one (TmsErrors). 405 is not documented at all."""


class Refused(Exception):
    """Raised where a request breaks a rule; carries the answer.

    ``fields`` are the names the vendor lists in ``details``, which it does with 400 only; ``location`` says where those
    fields stand: ``body``, ``query``, ``path`` or ``header`` (the vendor names the property, not its values).
    """

    def __init__(
        self, status: int, message: str, kind: str = "", fields: Sequence[str] = (), location: str = "body"
    ) -> None:
        super().__init__(message)
        self.reply = Reply(status, error_body(status, message, kind, fields, location))


def error_body(
    status: int, message: str, kind: str = "", fields: Sequence[str] = (), location: str = "body"
) -> dict[str, Any]:
    """``{"errors": [{"type", "message", "details"?}]}`` as every TMS 4xx and 5xx."""
    error: dict[str, Any] = {"type": kind or _USUAL.get(status, "invalidRequest"), "message": message}
    if fields:
        error["details"] = [{"name": name, "location": location} for name in fields]
    return {"errors": [error]}
