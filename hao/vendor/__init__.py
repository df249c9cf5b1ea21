"""Runs the vendor's tools where they are installed: finding them, their logs and reports, build servers, archives for elsewhere."""
