"""The demo: fusion networks that answer questions about emoji pictures and their names."""
