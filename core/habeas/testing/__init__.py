"""For plugin authors and for us: sandbox vendors on loopback, faults on demand, and people who do not exist."""
