"""How every vendor is spoken to: bounded, rate-limited, journalled, and retried only where that is safe."""
