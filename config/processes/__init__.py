"""The processes of the product: what each reports of itself, and what /readyz and /metrics show of them."""
