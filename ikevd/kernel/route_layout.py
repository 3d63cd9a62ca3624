"""Messages about routes (rtnetlink(7))."""

from __future__ import annotations

from struct import Struct

RTM_NEWROUTE, RTM_GETROUTE = 24, 26
RTMSG = Struct("=8BI")  # family dst_len src_len tos table protocol scope type, flags
RTA_DST, RTA_OIF = 1, 4
INDEX = Struct("=I")
