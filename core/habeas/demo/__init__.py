"""Sandbox vendors and a made-up shop, for `habeas demo` and `habeas sandbox`."""
