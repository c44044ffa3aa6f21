"""Commands under bubblewrap: no network, no environment, bounded."""
