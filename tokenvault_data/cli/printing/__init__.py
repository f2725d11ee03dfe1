"""How commands say things: tables, figures, JSON, and streams that are closed or gone."""
