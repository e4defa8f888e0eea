"""What tests of pages share: an HTML page, parsed strictly."""

import html
import html.parser


class Page(html.parser.HTMLParser):
    """The tags [(name, attributes)] and the text of a page.

    AssertionError for a tag that is not closed, or text that is not escaped.
    """

    VOID = ('meta', 'br', 'img')  # tags that are never closed

    def __init__(self, text):
        super().__init__(convert_charrefs=False)
        self.open, self.tags, self.text = [], [], ''
        self.feed(str(text))  # Markup would escape what is added to it
        self.close()
        assert self.open == [], f'never closed: {self.open}'

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in self.VOID:
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open and self.open.pop() == tag, f'</{tag}> closes nothing'

    def handle_data(self, data):
        if 'style' not in self.open:
            assert not {'<', '>', '&'} & set(data), f'unescaped: {data}'
            self.text += data

    def handle_entityref(self, name):
        self.text += html.unescape(f'&{name};')

    def handle_charref(self, name):
        self.text += html.unescape(f'&#{name};')
