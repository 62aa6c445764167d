"""Every picture of the project, in one style: PNG bytes (a contact sheet: JPEG), no window, no global state.

The same data give the same bytes. Colours are safe for colour-blind readers, and no difference is shown by
colour alone. Importing this package is cheap: matplotlib is imported by the first chart, and never by the
contact sheet.
"""

from rakuten_assets.plots.charts import (
    bars_png,
    boxes_png,
    class_distribution_png,
    heatmap_png,
    histogram_png,
    reliability_png,
)
from rakuten_assets.plots.contact_sheet import Tile, contact_sheet_jpeg, small_jpeg
from rakuten_assets.plots.curves import curves_png
from rakuten_assets.plots.markdown import picture_markdown
from rakuten_assets.plots.scatter import scatter_png, tradeoff_png

__all__ = [
    "Tile",
    "bars_png",
    "boxes_png",
    "class_distribution_png",
    "contact_sheet_jpeg",
    "curves_png",
    "heatmap_png",
    "histogram_png",
    "picture_markdown",
    "reliability_png",
    "scatter_png",
    "small_jpeg",
    "tradeoff_png",
]
