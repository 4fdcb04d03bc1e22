"""The made-up person of a canary run: one customer, by ``POST /v1/customers``.

Of the operations that habeas knows, this is the only one that creates for one person; what Voucherify makes of it
(an event, segments, a referral code of a campaign that joins everybody) is found by the inventory.
"""

from __future__ import annotations

from habeas import BadAnswer, Canary, CanaryPerson, Identifier
from habeas.connection import Connection
from habeas_voucherify import client, kinds, mapping

__all__ = ["create"]

DESCRIPTION = "Made up by habeas, to see whether privacy requests are still answered. Erased within the same run."


def create(connection: Connection, person: CanaryPerson) -> Canary:
    """Creates the customer where it is not there. Raises :class:`~habeas.VendorError`."""
    answer = client.customer(connection, person.customer_id)
    if answer.status == 404:
        client.create_customer(
            connection,
            {
                "source_id": person.customer_id,
                "name": f"{person.first_name} {person.last_name}",
                "email": person.email,
                "phone": person.phone,
                "description": DESCRIPTION,
            },
        )
        answer = client.customer(connection, person.customer_id)
        if answer.status == 404:
            raise BadAnswer(f"{answer.evidence}: the customer who was just created is not there")
    found = client.read_as(answer, mapping.customer)
    return Canary((Identifier(connection.name, found.id),), {kinds.CUSTOMER: 1})
