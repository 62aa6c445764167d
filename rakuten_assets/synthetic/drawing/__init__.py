"""Pictures of made-up products: `draw(code, seed)` gives the same picture for the same class and seed, always."""

from rakuten_assets.synthetic.drawing.composition import SIDE, draw

__all__ = ["SIDE", "draw"]
