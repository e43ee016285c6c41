"""Runs: a fit described in a TOML file, what it leaves behind in a folder, and several of them compared."""
