"""The only code that opens sockets: client, throttle, tokens, proxy, and a requests session for people."""
