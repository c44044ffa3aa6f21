"""The journal: what runs want written goes out in few, large, fenced transactions; and the engine's connections."""
