"""`wand-hostagent pki`: a certificate authority and its leaves."""
