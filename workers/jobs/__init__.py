"""Jobs: handed out, packed, done once, and given up after some attempts."""
