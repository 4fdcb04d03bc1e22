"""Which customer tokens are known for a person. TMS cannot be searched: everything starts there."""

from __future__ import annotations

from habeas import Subject
from habeas.connection import Connection
from habeas_cybersource import mapping

__all__ = ["customer_tokens"]


def customer_tokens(connection: Connection, subject: Subject) -> tuple[tuple[str, ...], str]:
    """The person's customer tokens, and what a person must do where there is none or one cannot be right.

    The text is empty where there is nothing to do.
    """
    given = subject.values(connection.name)
    proper = tuple(token for token in given if len(token) <= mapping.MAX_TOKEN)
    if given and len(proper) == len(given):
        return proper, ""
    problem = (
        "a customer token that was given is not one: it is longer than 32 characters"
        if given
        else "CyberSource TMS cannot be searched by e-mail address or by the shop's own customer id"
    )
    return proper, (
        f"{problem}: find the person's customer token in the shop's own database or in the Business Center, and run "
        f"again with it in the identity table's column `{connection.name}` or as `{connection.name}=TOKEN`"
    )
