"""What is said of an erasure that left something, or could not go on. For people in a privacy team."""

from __future__ import annotations

__all__ = [
    "ACTIVITY_KEPT",
    "ADVOCATE",
    "CARD_STAYS",
    "COUPON_STAYS",
    "EARNED",
    "ISSUED",
    "KEPT",
    "LEFT_BEHIND",
    "MEMBER",
    "MEMBER_KEPT",
    "NOT_PLANNED",
    "NOT_READY",
    "NO_KEY",
    "ORPHANED",
    "REDEEMED",
    "REFERRAL_STAYS",
    "RETENTION",
    "SHELL",
    "STILL_THERE",
    "UNSEEN",
]

STILL_THERE = "Talon.One took the call, but reading it back still shows the record: run `habeas resume`."
NOT_READY = "Not erased: other records that must go first are still there, and could no longer be reached afterwards."
NOT_PLANNED = (
    "Not erased: Talon.One now holds records about the person that the plan does not name; start a new erasure."
)
KEPT = (
    "Talon.One removes this only together with the profile, which the plan keeps: remove it by hand in the Campaign"
    " Manager."
)
LEFT_BEHIND = (
    "Talon.One deleted the customer's data, but still lists this under the profile: ask Talon.One support to remove it."
)
SHELL = "The details are gone. Talon.One keeps an empty profile under the id, which no call removes."
UNSEEN = (
    "Talon.One confirmed the deletion, but keeps a profile under the id with counts of sessions and sales, and it had"
    " no details whose disappearance could be read back."
)
REDEEMED = (
    "The reservation is gone, but Talon.One still lists the coupon under the profile, because it was used: ask"
    " Talon.One support to remove the redemption."
)
ISSUED = (
    "A coupon was issued to this person by id, the id is an e-mail address or phone number, and no call takes it off:"
    " delete the coupon in the Campaign Manager, in the coupons of its campaign."
)
ADVOCATE = (
    "The code no longer leads from the person, but it was made for an id that is an e-mail address or phone number, and"
    " no call takes that off: delete the code in the Campaign Manager, in the referrals of its campaign."
)
COUPON_STAYS = (
    "The reservation is gone. The coupon itself stays, and whether it still carries the person's id or notes shows only"
    " in the Campaign Manager."
)
REFERRAL_STAYS = (
    "The code no longer leads from the person. Whether the campaign keeps the code shows only in the Campaign Manager."
)
CARD_STAYS = "The card is no longer linked to the person. The card itself and its points stay."
MEMBER = "Points and transactions are gone. Talon.One still lists the program, without points, under the empty profile."
MEMBER_KEPT = (
    "Points and transactions are gone. Talon.One still lists the person as a member of the program, which no call ends"
    " as long as the plan keeps the profile: ask Talon.One support to end it."
)
EARNED = (
    "The card is no longer linked to the person, but points on it still name them: delete the card in the Campaign"
    " Manager if nobody else uses it, or ask Talon.One support to remove the name."
)
ACTIVITY_KEPT = (
    "Talon.One empties this only together with the profile, which the plan keeps, and no call removes it: it stays"
    " until Talon.One's retention ends."
)
RETENTION = (
    "The attributes are gone. Talon.One keeps the entries themselves, with the person's id and what was in the basket,"
    " until its retention of sessions and events ends; the contract with Talon.One decides when"
    " (`sessions_retention_days`)."
)
ORPHANED = (
    "There is no profile any more, but Talon.One still lists this with its details under the id: ask Talon.One support"
    " to remove it."
)
NO_KEY = "the Management API, which listed this, has no key any more"
