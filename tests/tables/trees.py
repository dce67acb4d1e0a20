"""Well-formed tables of interpreters as no IDE would write them: every byte of them is to survive."""

from hypothesis import strategies as st

_NAMES = st.sampled_from(["jdk", "name", "root", "component", "application", "x:y", "ünïcode", "a.b-c", "_"])
_BLANKS = st.text(" \t\r\n", max_size=4)
_GAPS = st.text(" \t\r\n", min_size=1, max_size=3)
_EOLS = st.sampled_from(["\n", "\r\n", "\r", "\n\n", ""])
_INDENTS = st.sampled_from(["", "  ", "    ", "\t", " \t "])
_CHARACTERS = st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="<&]?-\ufffe\uffff")
_WORDS = st.text(_CHARACTERS, max_size=8)
_VALUES = st.text(st.characters(exclude_categories=("Cs", "Cc"), exclude_characters="<&\"'\ufffe\uffff"), max_size=8)
_REFERENCES = st.sampled_from(["&lt;", "&amp;", "&gt;", "&quot;", "&#10;", "&#x1F680;", "]", "-->", "/>"])


@st.composite
def attributes(draw: st.DrawFn, fixed: tuple[tuple[str, str], ...] = ()) -> str:
    """Attributes with their blanks, in any order; a `>` may stand in a value."""
    more = draw(st.dictionaries(st.sampled_from(["a", "version", "x:z", "ä"]), _VALUES | _REFERENCES, max_size=2))
    pairs = draw(st.permutations([*fixed, *((key, value) for key, value in more.items() if key not in dict(fixed))]))
    text = ""
    for key, value in pairs:
        quote = draw(st.sampled_from("\"'"))
        text += draw(_GAPS) + key + draw(_BLANKS) + "=" + draw(_BLANKS) + quote + value + quote
    return text


@st.composite
def misc(draw: st.DrawFn) -> str:
    """A comment, CDATA or a processing instruction that looks like something else."""
    inside = draw(_WORDS) + draw(st.sampled_from(["", "</component>", "<jdk>", "<component name='ProjectJdkTable'>"]))
    return draw(st.sampled_from(["<!--{}-->", "<![CDATA[{}]]>", "<?pi {}?>"])).format(inside)


@st.composite
def element(draw: st.DrawFn, depth: int) -> str:
    name = draw(_NAMES)
    start = "<" + name + draw(attributes()) + draw(_BLANKS)
    if draw(st.booleans()):
        return start + "/>"
    return start + ">" + draw(content(depth - 1)) + "</" + name + draw(_BLANKS) + ">"


@st.composite
def content(draw: st.DrawFn, depth: int, kinds: "tuple[st.SearchStrategy[str], ...]" = ()) -> str:
    inner = (element(depth),) if depth > 0 else ()
    text = _WORDS.filter(lambda word: "]]>" not in word)
    parts = draw(st.lists(st.one_of(text, misc(), *inner, *kinds), max_size=4))
    return "".join(draw(_EOLS) + draw(_INDENTS) + part for part in parts) + draw(_EOLS) + draw(_INDENTS)


@st.composite
def jdk(draw: st.DrawFn) -> str:
    """An entry of somebody's, which may lack anything."""
    name = f"Foreign {draw(st.integers(0, 3))}"
    kind = draw(st.sampled_from(["Python SDK", "JavaSDK"]))
    parts = [f'<name value="{name}" />', f"<type value='{kind}'/>", draw(element(2)), draw(misc())]
    start = "<jdk" + draw(attributes((("version", "2"),)))
    return start + ">" + "".join(draw(_EOLS) + draw(_INDENTS) + part for part in parts) + "</jdk>"


@st.composite
def table(draw: st.DrawFn) -> str:
    start = "<component" + draw(attributes((("name", "ProjectJdkTable"),))) + draw(_BLANKS)
    if draw(st.integers(0, 3)) == 0:
        return start + "/>"
    return start + ">" + draw(content(1, (jdk(),))) + "</component" + draw(_BLANKS) + ">"


@st.composite
def tables(draw: st.DrawFn) -> bytes:
    """A whole file: with or without a byte order mark, a declaration, the component, and things around it."""
    head = draw(st.sampled_from(["", "\ufeff"]))
    head += draw(st.sampled_from(["", '<?xml version="1.0" encoding="UTF-8"?>', "<?xml version='1.0'?>"]))
    around = st.lists(st.sampled_from(["\n", "\r\n", " ", "<!-- a > b -->", "<?pi <x?>"]), max_size=2).map("".join)
    start = "<application" + draw(attributes()) + draw(_BLANKS)
    if draw(st.integers(0, 7)) == 0:
        body = start + "/>"
    else:
        wanted = (draw(table()),) if draw(st.booleans()) else ()
        body = start + ">" + draw(content(2)) + "".join(wanted) + draw(content(1)) + "</application>"
    return (head + draw(around) + body + draw(around)).encode()
