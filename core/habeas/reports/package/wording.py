"""What the person is told about the law: their rights, and what the controller still has to add, for each regime."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

__all__ = ["Duty", "Right", "Wording", "wording"]


@dataclass(frozen=True)
class Right:
    """One right of the person. ``law``: where it stands, or empty."""

    title: str
    law: str
    text: str


@dataclass(frozen=True)
class Duty:
    """One thing the person must be told, whether this package tells it, and where or what is missing."""

    law: str
    asks: str
    given: Literal["yes", "partly", "no"]
    where: str


@dataclass(frozen=True)
class Wording:
    """The texts for one regime. ``name`` is empty where no law is named."""

    name: str
    others: str
    """Why other people's data is left out."""
    rights: tuple[Right, ...]
    duties: tuple[Duty, ...]
    complaint: Right


def wording(regime: str, controller: str, *, consents: bool = False) -> Wording:
    """The texts for ``gdpr``, ``uk-gdpr`` or ``ccpa``; neutral ones, which name no law, for anything else.

    ``consents``: whether the package tells what the controller has itself recorded of them.
    """
    chosen = _WORDINGS.get(regime, _NEUTRAL)
    but = ", except for what it has recorded of your consents" if consents else ""

    def name(text: str) -> str:
        return text.replace("{but}", but).replace("{controller}", controller)

    return replace(
        chosen,
        rights=tuple(replace(right, text=name(right.text)) for right in chosen.rights),
        duties=tuple(replace(duty, where=name(duty.where)) for duty in chosen.duties),
        complaint=replace(chosen.complaint, text=name(chosen.complaint.text)),
    )


_EUROPEAN_RIGHTS = (
    Right(
        "Have it corrected",
        "Art. 16",
        "If something here is wrong, {controller} must correct it without undue delay. If it is incomplete for its "
        "purpose, you can have it completed.",
    ),
    Right(
        "Have it erased",
        "Art. 17",
        "You can ask for erasure, for example if the data is no longer needed, if you withdraw the consent it rests "
        "on, or if it is used unlawfully. Some data may have to be kept: for tax law, say, or for legal claims. You "
        "must then be told which, and why.",
    ),
    Right(
        "Have its use restricted",
        "Art. 18",
        "While it is disputed whether data is correct, or whether an objection is justified, you can ask that it is "
        "only stored and not used. You can also ask for this instead of erasure.",
    ),
    Right(
        "Object",
        "Art. 21",
        "You can object at any time to use for direct marketing, including profiling for it. It must then stop, "
        "without any weighing of reasons. You can object to use based on legitimate interests or a public task for "
        "reasons of your own situation.",
    ),
    Right(
        "Take it with you",
        "Art. 20",
        "What you have provided yourself, and what is processed automatically on the basis of your consent or a "
        "contract, you can get in a form that programs can read, and have it sent to another company where that is "
        "technically possible. The file data.json in this package is in such a form.",
    ),
    Right(
        "Withdraw consent",
        "Art. 7(3)",
        "Where something rests on your consent, you can withdraw it at any time, as easily as you gave it. What was "
        "done before stays lawful.",
    ),
    Right(
        "Not be judged by a machine alone",
        "Art. 22",
        "A decision that has legal or similarly serious effects for you may be left to a program alone only within "
        "narrow limits. You can then ask that a person looks at it, give your view, and contest it.",
    ),
)

_EUROPEAN_DUTIES = (
    Duty("Art. 15(1)(a)", "What the data is used for", "yes", "Named with each kind of record."),
    Duty("Art. 15(1)(b)", "Which categories of data are held", "yes", "Named with each kind of record."),
    Duty(
        "Art. 15(1)(c)",
        "Who has received or will receive it",
        "partly",
        "The processors that were searched are named here. {controller} must add everybody else who receives your "
        "data; if you ask, by name.",
    ),
    Duty(
        "Art. 15(1)(d)",
        "How long it is kept",
        "partly",
        "Named with each kind of record, as far as the processor's rules go. {controller} must add periods of its own.",
    ),
    Duty("Art. 15(1)(e)", "Your rights to correction, erasure, restriction, objection", "yes", "Under “Your rights”."),
    Duty("Art. 15(1)(f)", "Your right to complain to an authority", "yes", "Under “Your rights”."),
    Duty(
        "Art. 15(1)(g)",
        "Where data comes from that you did not give yourself",
        "partly",
        "Each file names the processor's answer it was taken from. Where the data came from before that, "
        "{controller} must tell you.",
    ),
    Duty(
        "Art. 15(1)(h)",
        "Whether decisions are made by a program alone, by which logic, with what effects for you",
        "no",
        "This search cannot see it. {controller} must tell you.",
    ),
    Duty(
        "Art. 15(2)",
        "Which safeguards apply where data goes to other countries",
        "no",
        "This search cannot see it. {controller} must tell you.",
    ),
    Duty(
        "Art. 15(3)",
        "A copy of the data",
        "partly",
        "Here is what the processors hold, except for what is named under “What was left out” and “What could not be "
        "searched”. What {controller} holds in its own systems is not part of this package{but}.",
    ),
)

_GDPR = Wording(
    name="General Data Protection Regulation (GDPR)",
    others="A copy of your data must not harm the rights and freedoms of other people (Art. 15(4) GDPR).",
    rights=_EUROPEAN_RIGHTS,
    duties=_EUROPEAN_DUTIES,
    complaint=Right(
        "Complain",
        "Art. 77, 79",
        "If you think that {controller} does not keep to the law, or that this answer is incomplete, you can complain "
        "to a data protection authority: where you live, where you work, or where you think the law was broken. It "
        "costs nothing. You can also go to court.",
    ),
)

_UK = Wording(
    name="UK GDPR and Data Protection Act 2018",
    others="A copy of your data must not harm the rights and freedoms of other people (Art. 15(4) UK GDPR).",
    rights=tuple(
        replace(
            right,
            law="Art. 22A to 22D",
            text="Where a decision with legal or similarly serious effects for you was left to a program alone, you "
            "must be told, and can ask that a person looks at it, give your view, and contest it.",
        )
        if right.law == "Art. 22"
        else right
        for right in _EUROPEAN_RIGHTS
    ),
    duties=_EUROPEAN_DUTIES,
    complaint=Right(
        "Complain",
        "Art. 77, 79; section 164A of the Act",
        "If you think that {controller} does not keep to the law, or that this answer is incomplete, you can complain "
        "to {controller} first, which must confirm it within 30 days. You can complain to the Information "
        "Commissioner. It costs nothing. You can also go to court.",
    ),
)

_CCPA = Wording(
    name="California Consumer Privacy Act (CCPA)",
    others="Your right to a copy must not adversely affect the rights of other people (Cal. Civ. Code § 1798.145).",
    rights=(
        Right(
            "Have it corrected",
            "§ 1798.106",
            "If something here is inaccurate, you can ask {controller} to correct it.",
        ),
        Right(
            "Have it deleted",
            "§ 1798.105",
            "You can ask {controller} to delete what was collected from you, and to tell its service providers and "
            "contractors to do so too. Exceptions apply, for example to complete your order or to fulfil legal duties.",
        ),
        Right(
            "Stop sale and sharing; object to advertising across sites",
            "§ 1798.120",
            "You can tell {controller} at any time not to sell your personal information or share it for advertising "
            "across sites. If you had agreed to it, you can withdraw your consent the same way.",
        ),
        Right(
            "Restrict the use of sensitive information",
            "§ 1798.121",
            "You can limit the use of sensitive personal information to what is needed for what you asked for.",
        ),
        Right(
            "Take it with you",
            "§ 1798.130",
            "You can get the specific pieces of information in a portable, readily usable form. The file data.json in "
            "this package is in such a form.",
        ),
        Right(
            "Not be treated worse",
            "§ 1798.125",
            "{controller} may not retaliate because you used one of these rights.",
        ),
    ),
    duties=(
        Duty("§ 1798.110(a)(1)", "Categories of information collected", "yes", "Named with each kind of record."),
        Duty(
            "§ 1798.110(a)(2)",
            "Categories of sources it comes from",
            "partly",
            "Each file names the service provider's answer it was taken from. {controller} must add the sources "
            "before that.",
        ),
        Duty(
            "§ 1798.110(a)(3)",
            "Purposes of collecting, selling or sharing it",
            "partly",
            "Purposes of use are named with each kind of record. {controller} must tell you about selling and sharing.",
        ),
        Duty(
            "§ 1798.110(a)(4)",
            "Categories of third parties it is disclosed to",
            "partly",
            "The service providers that were searched are named here. {controller} must add everybody else.",
        ),
        Duty(
            "§ 1798.110(a)(5)",
            "The specific pieces of information",
            "partly",
            "Here is what the service providers hold, except for what is named under “What was left out” and “What "
            "could not be searched”. What {controller} holds in its own systems is not part of this package{but}.",
        ),
        Duty(
            "§ 1798.185",
            "How automated decision-making is used on you",
            "no",
            "This search cannot see it. Ask {controller} where it concerns you.",
        ),
    ),
    complaint=Right(
        "Complain",
        "§ 1798.199.45",
        "If you think that {controller} does not keep to the law, you can complain to the California Privacy "
        "Protection Agency or to the Attorney General of California.",
    ),
)

_NEUTRAL = Wording(
    name="",
    others="A copy of your data must not give away what belongs to other people.",
    rights=tuple(
        Right(title, "", text)
        for title, text in (
            ("Have it corrected", "If something here is wrong or incomplete, ask {controller} to correct it."),
            ("Have it erased", "You may be able to have data erased that is no longer needed."),
            ("Have its use restricted", "While something is disputed, you may ask that it is stored and not used."),
            ("Object", "You may object to uses of your data, above all to marketing."),
            ("Take it with you", "The file data.json in this package is in a form that other programs can read."),
            ("Withdraw consent", "Where something rests on your consent, you may withdraw it."),
        )
    ),
    duties=tuple(replace(duty, law="") for duty in _EUROPEAN_DUTIES),
    complaint=Right(
        "Complain",
        "",
        "If you think that your data is not handled as the law says, or that this answer is incomplete, you may "
        "complain to the data protection authority where you live. Which rights you have depends on the law there.",
    ),
)

_WORDINGS = {"gdpr": _GDPR, "uk-gdpr": _UK, "ccpa": _CCPA}
