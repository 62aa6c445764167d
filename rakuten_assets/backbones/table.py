"""The README's table of backbones: `python -m rakuten_assets.backbones.table`."""

from rakuten_assets.backbones.entries import ENTRIES
from rakuten_assets.backbones.specification import Backbone


def backbones_table() -> str:
    """The backbones as a Markdown table: name, features, parameters, weights, input of their preset."""
    head = "| backbone | features | parameters | published weights | their input |"
    return "\n".join([head, "|---|---|---|---|---|", *map(_line, ENTRIES)])


def _line(backbone: Backbone) -> str:
    weights = ", ".join(f"`{release.name}`" for release in backbone.releases)
    first = backbone.releases[0]
    if first.distribution:
        extra = f", extra `{first.extra}`" if first.extra else ""
        weights += f" (package `{first.distribution}`{extra})"
    preset = f"{first.crop}x{first.crop} from {first.resize}, {first.interpolation}"
    millions = f"{backbone.parameters / 1e6:.1f} M"
    return f"| `{backbone.name}` | {backbone.feature_dim} | {millions} | {weights} | {preset} |"


if __name__ == "__main__":
    print(backbones_table())
