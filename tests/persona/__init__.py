"""A Cisco IOS router for tests, made from captures (captures/ORIGIN.md) and from what Cisco's debug output shows.

A real Cisco device was never run against this daemon. Messages 1 to 4 of Main Mode are those of two captured
sessions, octet by octet but for cookies, keys, nonces and hashes (test_captures.py). What IOS encrypts cannot be read
in the captures; there the persona follows Cisco's published debug output, and it is a guess where that says nothing:
the order of payloads in Aggressive Mode and of attributes in Quick Mode.

The persona shares the conversation core (encryption, IVs, resending) and Diffie-Hellman with the daemon, and nothing
else: it has its own formulas and builds every body itself.
"""
