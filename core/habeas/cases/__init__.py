"""What a case is made of: identifiers, the vault, the register."""
