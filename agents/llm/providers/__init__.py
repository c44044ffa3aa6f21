"""Chat models of providers: through LiteLLM, or straight to a gateway; their prices, answers and errors."""
