"""What must hold of fine-tuned weights: each function's outcome is a check's."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from rakuten_assets.evaluation.leakage import leaking_rows
from rakuten_assets.finetuning.options import FineTuning
from rakuten_assets.finetuning.scoring import Epoch
from rakuten_assets.finetuning.task import Task, training_images
from rakuten_assets.verdicts import Verdict


def no_validation_row_trained_on(task: Task, options: FineTuning) -> Verdict:
    """No row that validates, and no duplicate of one, is among the training images."""
    trained = np.isin(task.table.rows, training_images(task, options).rows)
    both = int((trained & task.validation).sum())
    # Of the rows that take part in neither, none can leak.
    part = trained | task.validation
    leaking = int(leaking_rows(task.groups[part], task.validation[part]).sum())
    return Verdict(
        "no_validation_row_trained_on",
        not both and not leaking,
        f"{both:,} validation rows are trained on, {leaking:,} have a duplicate that is"
        if both or leaking
        else f"{int(trained.sum()):,} images are trained on, {int(task.validating.sum()):,} others validate",
        {"validation rows trained on": both, "with a duplicate trained on": leaking},
    )


def better_than_frozen(epochs: Sequence[Epoch], kept: int) -> Verdict:
    """The weights that are kept score higher on validation than those of the start."""
    start, best = epochs[0].weighted_f1, epochs[kept].weighted_f1
    said = f"weighted F1 on the grouped split: {start:.3f} before training, {best:.3f} after epoch {kept}"
    return Verdict(
        "better_than_frozen",
        best > start,
        said if best > start else f"{said}: training did not help",
        {"before": start, "after": best},
        severity="warning",
    )
