"""The configuration: its schema (TOML, checked as a whole) and the syntax of key combinations."""
