"""What a run leaves behind: ``report.json`` for machines, a page and pictures for people."""
