"""The one port of all products: its connections, TLS told from plain HTTP on it, and who answers what."""
