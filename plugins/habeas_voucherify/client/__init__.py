"""The calls of Voucherify's API that habeas needs, one function each.

Paths, parameters and statuses are those of the vendor's OpenAPI document of August 2026; the consents endpoints are of
September 2024, when they were taken out. Reads of one thing take 404 as an answer ("nothing held"), but only in the
shape of Voucherify's own error. Changes take 404 and 409 too: the read-back decides what became of them.

:mod:`.calls` knows headers and paging, :mod:`.customers` and :mod:`.records` one person at a time, :mod:`.bulk` many.
"""

from __future__ import annotations

from habeas_voucherify.client.bulk import (
    Finished,
    Row,
    async_action,
    async_actions,
    import_csv,
    update_in_bulk,
    update_metadata_in_bulk,
)
from habeas_voucherify.client.calls import Listed, Numbered, read_as
from habeas_voucherify.client.customers import (
    NOBODY,
    WITHDRAWN,
    CustomerFilter,
    consents,
    create_customer,
    customer,
    customers,
    customers_after,
    customers_with,
    delete_customer,
    delete_permanently,
    probe,
    set_consent,
    update_customer,
)
from habeas_voucherify.client.records import (
    activity,
    delete_member,
    member,
    memberships,
    order,
    publications,
    publications_of_code,
    redeemables,
    redemption,
    redemptions,
    segments,
    vouchers,
    vouchers_of_code,
)

__all__ = [
    "NOBODY",
    "WITHDRAWN",
    "CustomerFilter",
    "Finished",
    "Listed",
    "Numbered",
    "Row",
    "activity",
    "async_action",
    "async_actions",
    "consents",
    "create_customer",
    "customer",
    "customers",
    "customers_after",
    "customers_with",
    "delete_customer",
    "delete_member",
    "delete_permanently",
    "import_csv",
    "member",
    "memberships",
    "order",
    "probe",
    "publications",
    "publications_of_code",
    "read_as",
    "redeemables",
    "redemption",
    "redemptions",
    "segments",
    "set_consent",
    "update_customer",
    "update_in_bulk",
    "update_metadata_in_bulk",
    "vouchers",
    "vouchers_of_code",
]
