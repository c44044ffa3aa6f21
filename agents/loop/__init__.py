"""An agent's turn: ask the model, run the tool calls, tell it their results."""
