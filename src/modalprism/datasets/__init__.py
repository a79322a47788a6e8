"""Examples in: which inputs belong together, what the right answer is, what must not straddle."""
