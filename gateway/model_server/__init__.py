"""A stand-in for a language model's server, for tests and for trying things without a key. See docs/model-server.md."""

from mnemolog.gateway.model_server.faults import Answer, Fault, spoil
from mnemolog.gateway.model_server.request import Request
from mnemolog.gateway.model_server.script import Script, read_script
from mnemolog.gateway.model_server.server import ModelServer

__all__ = ["Answer", "Fault", "ModelServer", "Request", "Script", "read_script", "spoil"]
