"""The access package: one ZIP that answers Art. 15 and Art. 20 GDPR (or their neighbours) for one person.

::

    index.html                       for the person: what is held, why, what is missing, which rights there are
    data.json, data.schema.json      the same for programs; the schema is JSON Schema 2020-12. Of the controller's own
                                     files there is what it has recorded of the person's consents, if it has
    processors/<connection>/<name>   each answer of a processor, byte for byte as the plugin handed it over
    manifest.json                    name, size and SHA-256 of every other file

:func:`build` is pure; only :mod:`habeas.reports.package.write` touches the disk.
"""

from __future__ import annotations

from habeas.reports.package.assemble import build
from habeas.reports.package.content import PackageFile, PackageInput, Source, check_source
from habeas.reports.package.write import package_digest, write_zip

__all__ = ["PackageFile", "PackageInput", "Source", "build", "check_source", "package_digest", "write_zip"]
