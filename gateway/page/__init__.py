"""The page at `/`: a memory to look at and to put right, for the person whose it is and for who debugs it."""
