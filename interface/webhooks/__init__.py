"""Messages to owners' programs: what they say, and the channel that sends them."""
