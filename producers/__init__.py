"""Everything that puts interactions and requests on the log."""

from mnemolog.producers.aio import AsyncProducer
from mnemolog.producers.client import Producer
from mnemolog.producers.messages import Message, Published

__all__ = ["AsyncProducer", "Message", "Producer", "Published"]
