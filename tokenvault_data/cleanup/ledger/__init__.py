"""What an account was sent by all its campaigns, kept outside of them, and what is left today."""
