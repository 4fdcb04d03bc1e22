"""A plugin project for a new vendor, complete and passing: what ``habeas plugin new`` writes."""

from habeas.scaffold.project import write_project

__all__ = ["write_project"]
