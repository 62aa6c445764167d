import numpy as np
import pytest
from PIL import Image, ImageDraw

from rakuten_assets.synthetic.drawing.lettering import glyph
from rakuten_assets.synthetic.drawing.pen import Pen

INK = (0, 0, 0)


def drawn(action, matrix=(1, 0, 0, 1, 50, 50)) -> np.ndarray:
    """bool (100, 100): what `action` inks."""
    canvas = Image.new("RGB", (100, 100), (255, 255, 255))
    action(Pen(ImageDraw.Draw(canvas), matrix))
    return np.asarray(canvas)[..., 0] == 0


def test_shapes_lie_where_the_map_puts_them():
    inked = drawn(lambda pen: pen.rectangle(-10, -5, 10, 5, INK))
    rows, columns = np.nonzero(inked)
    assert (rows.min(), rows.max(), columns.min(), columns.max()) == (45, 55, 40, 60)
    turned = drawn(lambda pen: pen.at(0, 0, 2, 90).rectangle(-10, -5, 10, 5, INK))
    rows, columns = np.nonzero(turned)
    assert (np.ptp(rows), np.ptp(columns)) == (40, 20)


def test_bounds_keep_every_point_inside():
    inked = drawn(lambda pen: pen.within(-5, -5, 5, 5).disc(3, 3, 40, INK))
    rows, columns = np.nonzero(inked)
    assert rows.min() >= 45 and rows.max() <= 55 and columns.min() >= 45 and columns.max() <= 55


@pytest.mark.parametrize("letter", "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789+-!%")
def test_glyphs_cover_five_by_seven_dots_without_overlap(letter):
    dots = np.zeros((7, 5), int)
    for column, row, columns, rows in glyph(letter):
        dots[row : row + rows, column : column + columns] += 1
    assert dots.max() == 1 and dots.any()
    assert glyph(" ") == ()


def test_letters_read_from_left_to_right_on_a_mirrored_object():
    upright = drawn(lambda pen: pen.text(-15, -10, 14, "EL", INK))
    mirrored = drawn(lambda pen: pen.text(-15, -10, 14, "EL", INK), matrix=(-1, 0, 0, 1, 50, 50))
    cut = [image[np.ix_(image.any(axis=1), image.any(axis=0))] for image in (upright, mirrored)]
    assert cut[0].shape[0] == cut[1].shape[0]
    width = min(image.shape[1] for image in cut)
    assert (cut[0][:, :width] == cut[1][:, :width]).mean() > 0.9
    assert (cut[0][:, :width] == cut[1][:, ::-1][:, :width]).mean() < 0.8


def test_text_shrinks_to_its_width():
    wide = []
    drawn(lambda pen: wide.append(pen.text(-40, 0, 14, "HISTOIRE", INK, width=40)))
    assert wide[0] == pytest.approx(40)
