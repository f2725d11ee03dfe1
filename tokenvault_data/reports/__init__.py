"""What people can send on: exports, charts, and the report; what may be shown is decided first."""
