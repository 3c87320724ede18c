"""The fold: what each event does to the tables, one module for each thing that it changes."""

from mnemolog.workers.fold.context import Unfoldable
from mnemolog.workers.fold.fold import Fold

__all__ = ["Fold", "Unfoldable"]
