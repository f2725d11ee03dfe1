"""What an analyst asks of a snapshot: tables in, tables out, no HTTP."""
