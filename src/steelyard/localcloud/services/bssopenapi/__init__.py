"""The price service, BssOpenApi."""
