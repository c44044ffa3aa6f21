"""The web server: uvicorn's workers, their protocols, the address that they listen on."""
