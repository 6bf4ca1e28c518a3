"""SIP bridging on FreeSWITCH, steered by a providers file."""
