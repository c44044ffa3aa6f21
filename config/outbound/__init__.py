"""The one guarded client for outgoing calls, and the addresses that it may reach."""
