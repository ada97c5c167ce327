"""What several vendors share: HTTP status, JSON, XML, authentication."""
