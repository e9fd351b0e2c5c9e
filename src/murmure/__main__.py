"""`python -m murmure` is the command `murmure`."""

from murmure.cli.main import run

if __name__ == "__main__":
    run()
