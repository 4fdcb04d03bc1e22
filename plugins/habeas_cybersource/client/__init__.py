"""One function for each of the 24 TMS operations. Each takes the connection.

Source: TMS API reference as in the vendor's Python client of 2026-05-16. Common to all: :mod:`.calls`.
"""

from habeas_cybersource.client.calls import GONE
from habeas_cybersource.client.customers import (
    PARTS,
    Part,
    amend_customer,
    amend_part,
    create_customer,
    create_part,
    delete_customer,
    delete_part,
    get_customer,
    get_part,
    list_part,
    make_default,
    part_pages,
)
from habeas_cybersource.client.instruments import (
    amend_identifier,
    amend_instrument,
    create_identifier,
    create_instrument,
    delete_identifier,
    delete_instrument,
    enrol_identifier,
    get_identifier,
    get_instrument,
    identifier_pages,
    identifier_users,
)

__all__ = [
    "GONE",
    "PARTS",
    "Part",
    "amend_customer",
    "amend_identifier",
    "amend_instrument",
    "amend_part",
    "create_customer",
    "create_identifier",
    "create_instrument",
    "create_part",
    "delete_customer",
    "delete_identifier",
    "delete_instrument",
    "delete_part",
    "enrol_identifier",
    "get_customer",
    "get_identifier",
    "get_instrument",
    "get_part",
    "identifier_pages",
    "identifier_users",
    "list_part",
    "make_default",
    "part_pages",
]
