from rakuten_assets.dataset.labels import KNOWN_CLASS_COUNTS
from rakuten_assets.synthetic.text import product_text

CODES = list(KNOWN_CLASS_COUNTS) * 40


def test_quirks_of_the_real_text_occur():
    rows = list(product_text(CODES, "train/1"))
    designations, descriptions = zip(*rows, strict=True)
    assert all(designations)
    assert sum(not text for text in descriptions) == round(0.3509 * len(CODES))
    for quirk in ("<br />", "<p>", "&eacute;", "&nbsp;", "\n", '"', ",", "é"):
        assert sum(quirk in text for text in descriptions) > 10, quirk
    for quirk in (",", '"', "&#39;", "é"):
        assert sum(quirk in text for text in designations) > 5, quirk


def test_text_is_a_function_of_codes_and_salt():
    assert list(product_text(CODES, "train/1")) == list(product_text(CODES, "train/1"))
    assert list(product_text(CODES, "train/1")) != list(product_text(CODES, "train/2"))


def test_every_class_has_words_of_its_own():
    first_words = {
        code: {text.split()[0].lower() for text, _ in product_text([code] * 60, "x")}
        for code in KNOWN_CLASS_COUNTS
    }
    assert len({frozenset(words) for words in first_words.values()}) == 27
