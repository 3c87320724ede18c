"""The vocabulary of mnemolog: ids, events, the log, the policy, errors, settings, keys and tables."""
