"""Names that more than one place of this stage needs."""

from upath import UPath

from rakuten_assets.backbones import Backbone
from rakuten_assets.outputs import names
from rakuten_assets.storage import Storage


def head_key(backbone: Backbone) -> list[str]:
    """Key of the asset that holds an extractor's head."""
    return [backbone.family, "head"]


def evaluation_folder(storage: Storage, backbone: Backbone) -> UPath:
    """Folder of the outputs that an extractor's evaluation is written to."""
    return storage.output_file(names.evaluation_folder(backbone.family))
