"""The assets: each loads, calls the core, attaches metadata. No annotation logic here."""
