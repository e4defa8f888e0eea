"""Lets long names and commands break where a reader expects it, in the built pages.

A browser breaks a name in its middle, or after the two dashes of a flag. Here it breaks after signs
such as _ / = and never inside the name of a flag. Copied text has no trace of it.
"""

import re

CODE = re.compile(r'<span class="pre">.*?</span>|<pre>.*?</pre>', re.DOTALL)
SHORT = re.compile(r'<span class="pre">([^<]{1,24})</span>')  # a phone's line can hold them
FLAG = re.compile(r'<span class="o">--</span><span class="n">\w+</span>|--\w+')
TEXT = re.compile(r'(?<=>)[^<]+(?=<)')
SIGN = re.compile(r'[/=,(.+]')  # Pygments makes a text of its own of it
IN_A_NAME = re.compile(r'(?<=[^\W_])[_/=,(+](?=[^\W_]|[\'"])|(?<=[a-z])\.(?=[a-z])')


def allow(app, pagename, templatename, context, doctree) -> None:
    """Mark the places in the body of a page; Sphinx calls it for each page."""
    if 'body' in context:
        context['body'] = CODE.sub(_marked, context['body'])


def _marked(match):
    """A piece of code with <wbr> where it may break, and its flags kept whole."""
    code = SHORT.sub(r'<span class="pre short">\1</span>', match[0])
    code = FLAG.sub(r'<span class="flag">\g<0></span>', code)
    return TEXT.sub(_with_breaks, code)


def _with_breaks(match):
    """A text without tags: 'casme2_ststnet' -> 'casme2_<wbr>ststnet'."""
    text = match[0]
    return f'{text}<wbr>' if SIGN.fullmatch(text) else IN_A_NAME.sub(r'\g<0><wbr>', text)
