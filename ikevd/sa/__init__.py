"""Security associations as plain data."""
