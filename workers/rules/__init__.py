"""The rule engine: messages in, cells out, without a model, a network or a clock."""

from mnemolog.workers.rules.engine import extract
from mnemolog.workers.rules.judge import judge
from mnemolog.workers.rules.messages import Context, Extraction, ForgetRequest, Message
from mnemolog.workers.rules.scenes import scene_key, summarise

__all__ = ["Context", "Extraction", "ForgetRequest", "Message", "extract", "judge", "scene_key", "summarise"]
