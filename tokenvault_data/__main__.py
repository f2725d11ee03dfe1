"""`python -m tokenvault_data`: the same as `tokenvault`."""

from tokenvault_data.cli.main import run

if __name__ == "__main__":
    run()
