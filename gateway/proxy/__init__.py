"""The proxy: an OpenAI-compatible endpoint that gives whatever talks through it a memory."""
