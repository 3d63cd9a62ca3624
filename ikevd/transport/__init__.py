"""UDP 500 and 4500: octets and endpoints, nothing of IKE but the non-ESP marker."""
