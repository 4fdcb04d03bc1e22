"""What the plugin says of itself: record kinds, settings, notices. Imports nothing that is slow to start.

Personal data per record: the fields of the vendor's TMS models. What a delete takes with it: TMS documentation of
"Deleting a Customer" and "Deleting an Instrument Identifier".
"""

from __future__ import annotations

from habeas import Field, NoticeRule, PluginInfo, RecordKind
from habeas_cybersource import names
from habeas_cybersource.settings import PURPOSE, SETTINGS

__all__ = ["CUSTOMER", "INFO", "INSTRUMENT_IDENTIFIER", "PAYMENT_INSTRUMENT", "SHIPPING_ADDRESS"]

CUSTOMER = "customer"
PAYMENT_INSTRUMENT = "payment_instrument"
SHIPPING_ADDRESS = "shipping_address"
INSTRUMENT_IDENTIFIER = "instrument_identifier"

_DPV = "https://w3id.org/dpv#"
_PD = "https://w3id.org/dpv/pd#"
_UNTIL_DELETED = "Until the shop deletes it; CyberSource sets no end of its own."


def _pd(*names: str) -> tuple[str, ...]:
    return tuple(_PD + name for name in names)


def _dpv(*names: str) -> tuple[str, ...]:
    return tuple(_DPV + name for name in names)


_KINDS = (
    RecordKind(
        name=CUSTOMER,
        title="Customer token",
        description="Your entry in the payment provider's vault: the shop's number for you, your e-mail, notes.",
        categories=_pd("UID", "Name", "EmailAddress"),
        purposes=_dpv("PaymentManagement", "AccountManagement"),
        retention=_UNTIL_DELETED,
        fields=names.CUSTOMER,
    ),
    RecordKind(
        name=PAYMENT_INSTRUMENT,
        title="Saved payment method",
        description="A card or bank account you saved, with its expiry and the billing name, address and contacts.",
        categories=_pd(
            "PaymentCard",
            "PaymentCardExpiry",
            "BankAccount",
            "Name",
            "PhysicalAddress",
            "EmailAddress",
            "TelephoneNumber",
            "BirthDate",
            "OfficialID",
        ),
        purposes=_dpv("PaymentManagement"),
        retention=_UNTIL_DELETED,
        erased_with=(CUSTOMER,),
        fields=names.INSTRUMENT,
    ),
    RecordKind(
        name=SHIPPING_ADDRESS,
        title="Shipping address",
        description="An address you saved for deliveries, with the recipient's name and contact details.",
        categories=_pd("Name", "PhysicalAddress", "EmailAddress", "TelephoneNumber"),
        purposes=_dpv("DeliveryOfGoods"),
        retention=_UNTIL_DELETED,
        erased_with=(CUSTOMER,),
        fields=names.ADDRESS,
    ),
    RecordKind(
        name=INSTRUMENT_IDENTIFIER,
        title="Card number token",
        description="What stands for your card or account number in the vault; the number itself is only shown masked. "
        "It may carry a billing address.",
        categories=_pd("PaymentCardNumber", "FinancialAccountNumber", "PhysicalAddress", "EmailAddress"),
        purposes=_dpv("PaymentManagement"),
        retention=_UNTIL_DELETED,
        # The vendor deletes an identifier together with the last payment instrument that uses it.
        erased_with=(PAYMENT_INSTRUMENT, CUSTOMER),
        fields=names.IDENTIFIER,
    ),
)

_NOTICES = (
    NoticeRule(
        "Payments, reports, invoices and subscriptions that were made with the saved cards are kept outside of the "
        "token vault. They stay until their own retention ends, as accounting law and the contract with CyberSource "
        "say."
    ),
    NoticeRule(
        "Network tokens that a card scheme issued for a saved card: CyberSource does not document whether they go when "
        "the card token is deleted."
    ),
)

INFO = PluginInfo(
    name="cybersource",
    title="CyberSource TMS",
    main_kind=CUSTOMER,
    kinds=_KINDS,
    settings_schema=SETTINGS,
    secrets=("key_id", "shared_secret", "p12_password"),
    secret_files=("p12",),
    notices=_NOTICES,
    # Payments are the last thing to go: other vendors' data is found through them, never the other way round.
    erase_order=90,
    purpose_schema=PURPOSE,
    holds_consents=False,
    rectifies=(
        Field.EMAIL,
        Field.PHONE,
        Field.NAME,
        Field.FIRST_NAME,
        Field.LAST_NAME,
        Field.STREET,
        Field.POSTAL_CODE,
        Field.CITY,
        Field.REGION,
        Field.COUNTRY,
    ),
)
