"""The synthetic catalogue: a stand-in for the challenge's data, in its exact layout, at any size, with known faults.

- `plan` decides every row, class, id and fault from (rows, seed) alone; nothing in it touches a file;
- `drawing` makes a picture from (class, seed), `encoding` the bytes of its file, `text` the product's words;
- `workers` spreads the drawing over processes, `generate` puts it all on disk, whole or not at all.
"""

from rakuten_assets.synthetic.catalog import SyntheticCatalog
from rakuten_assets.synthetic.faults import FaultKind, FaultRecord
from rakuten_assets.synthetic.generate import generate_catalog

__all__ = ["FaultKind", "FaultRecord", "SyntheticCatalog", "generate_catalog"]
