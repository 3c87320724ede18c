"""The rule engine: messages in, cells out, without a model, a network or a clock."""
