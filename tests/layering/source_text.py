"""Reading C++ far enough for rules about it: comments and literals are blanked, lines keep their numbers."""

import re

_COMMENT_OR_LITERAL = re.compile(
    r'//[^\n]*|/\*.*?\*/|R"([^()\\\s]*)\(.*?\)\1"|"(?:\\.|[^"\\\n])*"|(?<![0-9A-Fa-f])\'(?:\\.|[^\'\\\n])*\'', re.S)
_INCLUDE = re.compile(r'^[ \t]*#[ \t]*include[ \t]*([<"])([^>"\n]+)[>"]', re.M)


def code_only(text):
    """Returns `text` with every comment and literal replaced by blanks and the same line breaks."""
    return _COMMENT_OR_LITERAL.sub(lambda match: re.sub(r"[^\n]", " ", match.group()), text)


def without_comments(text):
    """Returns `text` with comments blanked and literals kept."""

    def blank(match):
        found = match.group()
        return re.sub(r"[^\n]", " ", found) if found.startswith(("//", "/*")) else found

    return _COMMENT_OR_LITERAL.sub(blank, text)


def includes(text):
    """Yields (line, quote, path) of each #include."""
    for match in _INCLUDE.finditer(without_comments(text)):
        yield line_of(text, match.start()), match.group(1), match.group(2)


def line_of(text, position):
    return text.count("\n", 0, position) + 1
