"""The IPsec side of a kernel: Linux XFRM over netlink, and one in memory."""
