"""How a request or a person proves who they are."""
