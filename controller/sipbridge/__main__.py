"""The `sipbridge` command: applies gevent's patches, then runs the command line."""

from gevent import monkey

monkey.patch_all()

from sipbridge.cli import main  # noqa: E402 - nothing may be imported before the patches

if __name__ == "__main__":
    main()
