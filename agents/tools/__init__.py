"""Tools: how they are registered, found, called once, and run on their own."""
