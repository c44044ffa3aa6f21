"""What leaves the product: the one guarded client for calls, the addresses that it may reach, and mail."""
