"""The command line: one module a command, all put together in `main`."""
