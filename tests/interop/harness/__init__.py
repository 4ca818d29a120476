"""Boots Linux guests in QEMU and runs tests against them; see ../README.md."""
