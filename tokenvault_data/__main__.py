"""The command `tokenvault`, also as `python -m tokenvault_data`."""

import signal


def run() -> None:
    """Run the command line; Ctrl-C while its modules are still read ends it without a word."""
    is_usual = signal.getsignal(signal.SIGINT) is signal.default_int_handler
    if is_usual:
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from tokenvault_data.cli.main import run as run_command

    if is_usual:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    run_command()


if __name__ == "__main__":
    run()
