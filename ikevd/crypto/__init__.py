"""Keys and ciphers of IKEv1: takes bytes named as in RFC 2409, gives bytes."""
