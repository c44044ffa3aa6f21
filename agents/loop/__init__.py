"""An agent's turn: call the model, run its tool calls, send it their results."""
