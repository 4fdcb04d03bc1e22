"""What makes the ledger count for others: who signs it, what is sealed after each run, what is handed out as proof."""
