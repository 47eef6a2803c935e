"""Marks of texts for translation in modules without Django; whoever shows a text translates it."""


def gettext_noop(text: str) -> str:
    """Return the text as it is; script/translate collects what is marked so."""
    return text
