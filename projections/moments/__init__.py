"""The times that a question tells, in the words of several languages."""
