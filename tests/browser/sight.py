"""What eyes would see at once: text that cannot be read, and pages that are wider than the screen."""

#: The least contrast of text that WCAG 2.2 asks for (AA, 1.4.3).
CONTRAST = 4.5

#: Each text that a person can see, with its contrast to what is behind it.
_CONTRASTS = """() => {
  const parse = (text) => (text.match(/[\\d.]+/g) || []).map(Number);
  const light = ([red, green, blue]) => [red, green, blue].map((part) => part / 255)
    .map((part) => (part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4))
    .reduce((sum, part, at) => sum + part * [0.2126, 0.7152, 0.0722][at], 0);
  const behind = (node) => {
    for (; node; node = node.parentElement) {
      const colour = parse(getComputedStyle(node).backgroundColor);
      if (colour.length === 3 || colour[3] === 1) return colour;
    }
    return [255, 255, 255];
  };
  const found = [], walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const text = walker.currentNode.data.trim(), parent = walker.currentNode.parentElement;
    if (!text || !parent.checkVisibility({ visibilityProperty: true }) || parent.closest("option, :disabled")) continue;
    const [one, other] = [light(parse(getComputedStyle(parent).color)), light(behind(parent))];
    found.push([text, (Math.max(one, other) + 0.05) / (Math.min(one, other) + 0.05)]);
  }
  return found;
}"""


def find_flaws(page):
    """The texts that cannot be read, with their contrast, and by how many pixels the page is wider than the screen."""
    found = page.evaluate(_CONTRASTS)
    flaws = [f"{text!r}: {contrast:.1f}" for text, contrast in found if contrast < CONTRAST]
    beyond = page.evaluate("document.documentElement.scrollWidth - innerWidth")
    return [*flaws, *([f"{beyond} pixels too wide"] if beyond > 0 else []), *([] if found else ["an empty page"])]
