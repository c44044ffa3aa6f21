"""What clients see while it happens: SSE streams, WebSocket monitors, pieces of text."""
