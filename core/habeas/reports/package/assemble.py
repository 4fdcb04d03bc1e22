"""Puts the files of a package together: pure, and the same bytes for the same input."""

from __future__ import annotations

import hashlib
from importlib import resources

from habeas.reports.package.content import DATA, SCHEMA, PackageFile, PackageInput, data_json, prepare
from habeas.reports.package.jsontext import encode
from habeas.reports.package.page import page_html

__all__ = ["build"]


def build(package: PackageInput) -> tuple[PackageFile, ...]:
    """All files of the package, ``index.html`` first and ``manifest.json`` last.

    Raises what :func:`habeas.reports.package.content.prepare` raises: a plugin's export that cannot be packed
    (:class:`~habeas.errors.PluginFault`), a connection name that cannot be a folder or comes twice
    (:class:`~habeas.errors.ConfigError`), a time without a zone (``ValueError``). To keep one connection's fault with
    that connection, ask :func:`~habeas.reports.package.content.check_source` first and hand it in as failed.
    """
    processors = prepare(package)
    files = (
        PackageFile("index.html", page_html(package, processors)),
        PackageFile(DATA, data_json(package, processors)),
        PackageFile(SCHEMA, resources.files("habeas.reports.package").joinpath(SCHEMA).read_bytes()),
        *(
            PackageFile(held.path, held.document.content)
            for processor in processors
            for _, _, documents in processor.records
            for held in documents
        ),
    )
    return (*files, PackageFile("manifest.json", _manifest(files)))


def _manifest(files: tuple[PackageFile, ...]) -> bytes:
    return encode(
        {
            "format": "habeas-access-package-manifest",
            "version": 1,
            "files": [
                {"name": file.name, "size": len(file.content), "sha256": hashlib.sha256(file.content).hexdigest()}
                for file in files
            ],
        }
    )
