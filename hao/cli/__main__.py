"""``python -m hao.cli`` is ``hao``."""

from hao.cli.main import main

main()
