"""What the UI shows of fine-tuning: an epoch's scores while it runs, learning curves at its end."""

from typing import TYPE_CHECKING, Any

import dagster as dg
import numpy as np
import pandas as pd

from rakuten_assets.defs.presentation import picture, table
from rakuten_assets.plots import curves_png
from rakuten_assets.units import human_count

if TYPE_CHECKING:
    from rakuten_assets.finetuning.result import Written
    from rakuten_assets.finetuning.scoring import Epoch
    from rakuten_assets.finetuning.training import FineTuned


def epoch_metadata(epoch: "Epoch") -> dict[str, Any]:
    """Numbers of one epoch, which Dagster plots as they come."""
    numbers = {"weighted F1": epoch.weighted_f1, "validation loss": epoch.validation_loss}
    if epoch.training_loss is not None:
        numbers["training loss"] = epoch.training_loss
    return {"epoch": epoch.epoch, **{name: dg.MetadataValue.float(value) for name, value in numbers.items()}}


def weights_metadata(name: str, tuned: "FineTuned", written: "Written", seconds: float) -> dict[str, Any]:
    """Scores before and after, curves, what was trained, and the line that uses the weights."""
    epochs, kept = tuned.epochs, tuned.kept
    scores = pd.DataFrame(
        [
            (
                one.epoch,
                "" if one.training_loss is None else f"{one.training_loss:.3f}",
                f"{one.validation_loss:.3f}",
                f"{one.weighted_f1:.3f}",
                f"{one.macro_f1:.3f}",
                f"{one.accuracy:.3f}",
                "kept" if one.epoch == kept else "",
            )
            for one in epochs
        ],
        columns=["epoch", "training loss", "validation loss", "weighted F1", "macro F1", "accuracy", ""],
    )
    blocks = len(set(tuned.part.depths.values()))
    return {
        "weighted F1": epochs[kept].weighted_f1,
        "weighted F1 before training": epochs[0].weighted_f1,
        "gain": epochs[kept].weighted_f1 - epochs[0].weighted_f1,
        "epoch kept": kept,
        "blocks trained": f"{blocks} of {len(tuned.part.blocks)}",
        "seconds": round(seconds, 1),
        "weights": dg.MetadataValue.path(str(written.weights)),
        "how they were made": dg.MetadataValue.path(str(written.record)),
        "use them": dg.MetadataValue.md(
            f"```bash\nRAKUTEN_WEIGHTS={name}={written.weights}\n```\n"
            "Scores on the grouped split are of rows that the network was not trained on, though they chose the epoch; "
            "those of the customary split and of cross-validation are not."
        ),
        "learning curves": picture(curves(name, tuned), f"learning curves of {name}"),
        "epochs": table(scores, rows=len(scores)),
    }


def curves(name: str, tuned: "FineTuned") -> bytes:
    """Losses and scores by epoch, PNG bytes."""
    epochs = tuned.epochs
    losses = {
        "training, augmented": [np.nan if one.training_loss is None else one.training_loss for one in epochs],
        "validation": [one.validation_loss for one in epochs],
    }
    found = {
        "weighted F1": [one.weighted_f1 for one in epochs],
        "macro F1": [one.macro_f1 for one in epochs],
    }
    trained = human_count(len(tuned.part.depths))
    return curves_png(
        [("loss", losses), ("score on the grouped split", found)],
        f"Fine-tuning {name}",
        "epochs of training",
        f"{trained} tensors trained; dashed: the epoch that is kept; epoch 0: the frozen network",
        marked=tuned.kept,
    )
