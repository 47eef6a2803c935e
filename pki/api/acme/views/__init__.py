"""RFC 8555: any ACME client gets certificates from an authority that is open for it."""
