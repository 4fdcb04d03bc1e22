"""Whether everything that an installation brings with it may be used under a permissive licence.

``python -m supply.licences`` needs no network. Exit code 1 where a licence is not on the list, or none is stated.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence

from license_expression import ExpressionError, LicenseExpression, LicenseSymbol, get_spdx_licensing  # type: ignore[import-untyped]

from supply.closure import EXTRAS, Missing, Package, closure, requirements

__all__ = ["ALLOWED", "licence_of", "problem"]

ALLOWED = frozenset(
    {
        "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "BSL-1.0", "CC0-1.0", "ISC", "MIT", "MIT-0", "PSF-2.0",
        "Python-2.0", "Unlicense", "Zlib",
    }
)  # fmt: skip
"""SPDX identifiers of licences that ask for no more than a notice."""

EXCEPTIONS = {
    "certifi": "MPL-2.0",  # a list of certificate authorities that `requests` reads; we neither change nor ship it
}
"""Licences that ask for more, each for one package."""

READ_BY_HAND = {
    "click-default-group": "BSD-3-Clause",
    "jinja2": "BSD-3-Clause",
    "python-dateutil": "BSD-3-Clause",  # of all its code; of the newer part one may choose Apache-2.0 instead
    "sqlite-fts4": "Apache-2.0",
}
"""Where the metadata does not say which, and the text that comes with the package does. A test reads that text."""

CLASSIFIERS = {
    "OSI Approved :: Apache Software License": "Apache-2.0",
    "OSI Approved :: ISC License (ISCL)": "ISC",
    "OSI Approved :: MIT License": "MIT",
    "OSI Approved :: Mozilla Public License 2.0 (MPL 2.0)": "MPL-2.0",
    "OSI Approved :: Python Software Foundation License": "PSF-2.0",
}
"""What the older classifiers mean. Those that name no version of a licence are left out, and so refused."""

_SPDX = get_spdx_licensing()


def licence_of(package: Package) -> str:
    """What a package states, as an SPDX expression; empty where that cannot be told.

    Several classifiers are all asked for: whether one may choose among them they do not say.
    """
    if package.name in READ_BY_HAND:
        return READ_BY_HAND[package.name]
    if package.expression:
        return package.expression
    if package.classifiers:
        known = [CLASSIFIERS.get(line, "") for line in package.classifiers if line != "OSI Approved"]
        return " AND ".join(known) if all(known) else ""
    return package.text if package.text in _SPDX.known_symbols else ""


def problem(package: Package) -> str:
    """Why a package may not be used; empty where it may."""
    stated = licence_of(package)
    said = stated or " / ".join((*package.classifiers, package.text)).strip(" /") or "nothing"
    if not stated:
        return f"{package.name} {package.version}: states no licence that is known ({said})"
    allowed = ALLOWED | ({EXCEPTIONS[package.name]} if package.name in EXCEPTIONS else set())
    try:
        expression = _SPDX.parse(stated, validate=True)
    except ExpressionError:
        return f"{package.name} {package.version}: {stated} is no SPDX expression"
    if not _granted(expression, allowed):
        return f"{package.name} {package.version}: {stated} is not on the list of permissive licences"
    return ""


def _granted(expression: LicenseExpression, allowed: frozenset[str] | set[str]) -> bool:
    """OR: one that is allowed is enough. AND: all have to be. An exception to a licence is another licence."""
    if isinstance(expression, LicenseSymbol):
        return str(expression.key) in allowed
    if isinstance(expression, _SPDX.OR):
        return any(_granted(part, allowed) for part in expression.args)
    if isinstance(expression, _SPDX.AND):
        return all(_granted(part, allowed) for part in expression.args)
    return False


def main(arguments: Sequence[str] | None = None) -> int:
    """Exit code: 1 where something may not be used, or is not here to be looked at."""
    parser = argparse.ArgumentParser(prog="python -m supply.licences", description=__doc__)
    parser.add_argument("--path", action="append", help="look here instead of where Python looks")
    parser.add_argument("--root", action="append", help="check this requirement and what it needs, instead of ours")
    options = parser.parse_args(arguments)
    try:
        packages = closure(options.root or requirements(EXTRAS), options.path)
    except Missing as missing:
        sys.stderr.write(f"{missing}\n")
        return 1
    problems = [text for text in map(problem, packages) if text]
    sys.stderr.writelines(f"{text}\n" for text in problems)
    sys.stdout.write(f"{len(packages)} packages, {len(problems)} with a licence that is not permitted\n")
    return int(bool(problems))


if __name__ == "__main__":
    sys.exit(main())
