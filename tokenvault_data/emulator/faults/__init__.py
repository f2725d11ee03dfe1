"""What goes wrong on purpose: kinds of faults, when they strike, and the answers they give."""
