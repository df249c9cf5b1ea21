"""Names and values as words of Tcl: whatever goes into a generated script passes through here."""

from __future__ import annotations

import re

from hao.errors import UsageError

_PLAIN = re.compile(r"[A-Za-z0-9_.,/:=+@%-]+")
_ESCAPED = '\\{}[]$";# ()<>|&*?~^!`\''


def word(value: object) -> str:
    """``value`` as one word of Tcl that stands for exactly its text, without substitution.

    Plain names are left as they are, so that scripts read as if written by hand; other text is put into braces, or escaped
    character by character where braces or a backslash in it forbid that.

    Raises:
        UsageError: the text has a control character in it, such as a line break.
    """
    text = str(value)
    if any(ord(character) < 0x20 or ord(character) == 0x7F for character in text):
        raise UsageError(f"{text!r} has a control character in it and cannot go into a script", "use printable characters")
    if _PLAIN.fullmatch(text):
        return text
    if not any(character in text for character in "{}\\"):
        return f"{{{text}}}"
    return "".join(f"\\{character}" if character in _ESCAPED else character for character in text)
