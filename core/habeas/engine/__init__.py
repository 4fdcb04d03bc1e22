"""Orders the work across vendors: plans (pure), runs (threads, events), and picks up what was interrupted."""
