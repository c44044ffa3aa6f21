"""The litellm library: imported on first use, as it takes seconds and 170 MB, so by workers only."""

import asyncio
import logging
import os
from functools import lru_cache
from typing import Any

ENVIRONMENT = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # the price list in the package; else it is fetched while we wait
    # The transport of the other providers, without the openai package's own layers: 1.7 instead of 3 ms of CPU a call.
    "EXPERIMENTAL_OPENAI_BASE_LLM_HTTP_HANDLER": "True",
    "AIOHTTP_CONNECTOR_LIMIT": "100000",  # the engine's slots are the limit; LiteLLM's 500 would make calls queue
    "AIOHTTP_CONNECTOR_LIMIT_PER_HOST": "100000",
}
# Retries belong to the engine. The rest spares work: call logging, and a look for MCP tools in each list of tools.
EVERY_CALL = {"num_retries": 0, "max_retries": 0, "no-log": True, "_skip_mcp_handler": True, "drop_params": True}


@lru_cache(maxsize=1)
def load_litellm() -> Any:
    """The litellm module, imported and set up on first use; takes seconds then."""
    os.environ.update(ENVIRONMENT)
    import litellm

    litellm.telemetry = False
    litellm.suppress_debug_info = True
    litellm.disable_hf_tokenizer_download = True
    logging.getLogger("LiteLLM").setLevel(logging.ERROR)
    return litellm


async def litellm_in_thread() -> Any:
    """The same; on first use in a thread, so that the event loop goes on meanwhile."""
    return load_litellm() if load_litellm.cache_info().currsize else await asyncio.to_thread(load_litellm)


async def close() -> None:
    """End the connections that LiteLLM keeps; a worker's last act."""
    if load_litellm.cache_info().currsize:
        await load_litellm().close_litellm_async_clients()
