"""How each of the 27 classes looks: which products it shows, how they lie, and where they are photographed."""

from __future__ import annotations

import random
from collections.abc import Callable
from dataclasses import dataclass

from rakuten_assets.synthetic.drawing.motifs import (
    covers,
    everyday,
    furniture,
    games,
    gaming,
    home,
    nursery,
    outdoors,
    pools,
    tools,
    toys,
)
from rakuten_assets.synthetic.drawing.pen import Pen

Motif = Callable[[Pen, random.Random], None]


@dataclass(frozen=True)
class Look:
    """The look of a class.

    Attributes:
        motifs: what is shown, each as often as the others (a motif named twice: twice as often).
        surfaces: what a photographed product lies on or stands before.
        hue: of a turn, the favourite one of its colours.
        photographed: share of pictures that are photographs; the others are cut out on white.
        lean: greatest turn of a product in a cut-out, in degrees.
        several: share of cut-outs that show two or three products.
    """

    motifs: tuple[Motif, ...]
    surfaces: tuple[str, ...]
    hue: float = 0.0
    photographed: float = 0.25
    lean: float = 8.0
    several: float = 0.15


_TABLES = ("oak", "walnut", "linen", "parquet")

LOOKS: dict[int, Look] = {
    10: Look((covers.used_book,), _TABLES, photographed=0.45, lean=5, several=0.05, hue=0.08),
    40: Look(
        (gaming.game_case,),
        ("walnut", "carpet", "dark table"),
        photographed=0.3,
        lean=4,
        several=0.05,
        hue=0.33,
    ),
    50: Look(
        (gaming.gamepad, gaming.gamepad, gaming.headset),
        ("dark table", "oak"),
        photographed=0.2,
        lean=16,
        hue=0.75,
    ),
    60: Look((gaming.handheld, gaming.console), ("oak", "blue cloth"), photographed=0.25, lean=22, hue=0.95),
    1140: Look(
        (toys.figurine,), ("wall", "blue cloth", "walnut"), photographed=0.35, lean=5, several=0.12, hue=0.16
    ),
    1160: Look(
        (games.trading_card, games.trading_card, games.cards_spread),
        ("carpet", "oak", "red cloth"),
        photographed=0.4,
        lean=6,
        several=0.0,
        hue=0.12,
    ),
    1180: Look(
        (games.miniatures, games.miniatures, games.role_play),
        ("dark table", "stone", "walnut"),
        photographed=0.4,
        lean=4,
        several=0.0,
        hue=0.22,
    ),
    1280: Look(
        (toys.teddy, toys.building_blocks, toys.train, toys.stacking_rings),
        ("carpet", "pine"),
        photographed=0.25,
        lean=8,
        hue=0.0,
    ),
    1281: Look(
        (games.board_game, games.game_box),
        ("oak", "red cloth", "parquet"),
        photographed=0.3,
        lean=9,
        several=0.05,
        hue=0.88,
    ),
    1300: Look(
        (toys.quadcopter, toys.model_car, toys.model_plane, toys.spare_parts),
        ("stone", "wall"),
        photographed=0.15,
        lean=30,
        hue=0.62,
    ),
    1301: Look(
        (games.baby_socks, games.baby_socks, games.dartboard, games.billiards),
        ("pine", "wall"),
        photographed=0.2,
        lean=12,
        several=0.0,
        hue=0.45,
    ),
    1302: Look(
        (outdoors.fishing_lure, outdoors.torch, outdoors.tent, outdoors.skateboard),
        ("grass", "stone", "water"),
        photographed=0.25,
        lean=18,
        several=0.3,
        hue=0.28,
    ),
    1320: Look(
        (nursery.pram, nursery.baby_bottle, nursery.bodysuit),
        ("carpet", "pine", "linen"),
        photographed=0.2,
        lean=7,
        hue=0.83,
    ),
    1560: Look(
        (furniture.chair, furniture.wardrobe, furniture.sofa, furniture.table),
        ("parquet", "wall"),
        photographed=0.25,
        lean=0,
        hue=0.05,
    ),
    1920: Look(
        (home.cushion, home.cushion, home.bed_linen),
        ("linen", "blue cloth", "carpet"),
        photographed=0.25,
        lean=10,
        several=0.1,
        hue=0.7,
    ),
    1940: Look(
        (everyday.jar, everyday.bottle, everyday.packet),
        ("pine", "wall"),
        photographed=0.2,
        lean=3,
        several=0.35,
        hue=0.1,
    ),
    2060: Look(
        (home.bulb, home.lamp, home.vase, home.vase, home.wall_clock, home.candles),
        ("wall", "walnut"),
        photographed=0.3,
        lean=5,
        hue=0.14,
    ),
    2220: Look(
        (everyday.dog, everyday.dog, everyday.feeding_bowl),
        ("grass", "parquet"),
        photographed=0.25,
        lean=4,
        several=0.1,
        hue=0.38,
    ),
    2280: Look(
        (covers.magazine,), ("oak", "carpet", "linen"), photographed=0.4, lean=4, several=0.05, hue=0.98
    ),
    2403: Look(
        (covers.series,), ("oak", "carpet", "blue cloth"), photographed=0.5, lean=3, several=0.0, hue=0.66
    ),
    2462: Look(
        (gaming.games_lot,),
        ("dark table", "carpet", "walnut"),
        photographed=0.75,
        lean=5,
        several=0.0,
        hue=0.58,
    ),
    2522: Look(
        (everyday.notebook, everyday.notebook, everyday.fountain_pen, everyday.pencils),
        ("pine", "linen"),
        photographed=0.12,
        lean=40,
        several=0.15,
        hue=0.8,
    ),
    2582: Look(
        (outdoors.parasol, outdoors.garden_set, outdoors.hammock, outdoors.shed),
        ("grass", "stone"),
        photographed=0.35,
        lean=0,
        several=0.08,
        hue=0.3,
    ),
    2583: Look(
        (
            pools.pool,
            pools.pool,
            pools.sunken_pool,
            pools.inflatable,
            pools.pump,
            pools.filter_cartridge,
            pools.pool_hose,
        ),
        ("grass", "water", "stone"),
        hue=0.54,
        photographed=0.4,
        lean=3,
        several=0.1,
    ),
    2585: Look(
        (tools.hammer, tools.saw, tools.drill, tools.garden_hose),
        ("stone", "pine", "grass"),
        photographed=0.15,
        lean=50,
        several=0.2,
        hue=0.42,
    ),
    2705: Look((covers.new_book,), ("linen", "pine"), photographed=0.08, lean=1.5, several=0.0, hue=0.02),
    2905: Look((gaming.download_game,), ("dark table",), photographed=0.05, lean=0, several=0.0, hue=0.72),
}
