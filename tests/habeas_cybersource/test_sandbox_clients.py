"""What the vendor's own client relies on and no other test asks of the sandbox."""

from __future__ import annotations

import base64
import time
import uuid

import jwt

from habeas.testing.people import seeded_people
from habeas.testing.sandbox import Call, Reply
from habeas_cybersource.sandbox import CyberSourceSandbox

HOST = "apitest.cybersource.com"


def get(app: CyberSourceSandbox, path: str, **query: str) -> Reply:
    """A GET, signed as the client signs."""
    settings, now = app.settings(), int(time.time())
    target = path + "?" + "&".join(f"{name}={value}" for name, value in query.items())
    claims = {
        "iat": now,
        "exp": now + 120,
        "request-host": HOST,
        "request-method": "GET",
        "request-resource-path": target,
        "iss": settings["merchant_id"],
        "jti": str(uuid.uuid4()),
        "v-c-jwt-version": "2",
        "v-c-merchant-id": settings["merchant_id"],
    }
    secret = base64.b64decode(settings["shared_secret"])
    token = jwt.encode(claims, secret, algorithm="HS256", headers={"kid": settings["key_id"]})
    headers = {"host": HOST, "authorization": f"Bearer {token}"}
    return app.handle(Call("GET", target, path, tuple(query.items()), headers, b""))


def test_bin_details_are_asked_for_in_any_case_of_letters_as_the_python_client_writes_true() -> None:
    app = CyberSourceSandbox()
    app.seed(seeded_people(1, (app.name,)))
    path = f"/tms/v1/instrumentidentifiers/{next(iter(app.vault.identifiers))}"
    shown = [get(app, path, retrieveBinDetails=word) for word in ("True", "true", "False", "yes")]
    assert [reply.status for reply in shown] == [200, 200, 200, 400]
    assert shown[0].json == shown[1].json
    assert ["_embedded" in reply.json for reply in shown[:3]] == [True, True, False]
