"""ikevd: an IKEv1 (RFC 2407-2409) initiator and responder for Linux."""

__version__ = "0.1.0"
