"""How a tenant's own tools do their work: http, remote (signed), mcp, code (in the sandbox)."""
