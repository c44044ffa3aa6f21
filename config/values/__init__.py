"""Values from outside (JSON, CSV, texts, numbers): read once, where they enter, or refused with a reason."""
