"""One backbone's fine-tuned weights."""

import time
from collections.abc import Sequence

import dagster as dg
import numpy as np
import pandas as pd
from upath import UPath

from rakuten_assets.backbones import Backbone, find_backbone
from rakuten_assets.defs.finetuning.checks import WEIGHTS_CHECKS
from rakuten_assets.defs.finetuning.metadata import epoch_metadata, weights_metadata
from rakuten_assets.defs.policy import stage_asset
from rakuten_assets.defs.verdicts import Gives, publish
from rakuten_assets.evaluation.inputs import train_groups
from rakuten_assets.finetuning.options import parse_options
from rakuten_assets.integrity.validation import refuse_failed_scans
from rakuten_assets.runtime.machine import usable_cores
from rakuten_assets.settings import Settings
from rakuten_assets.source import open_catalog
from rakuten_assets.storage import Storage

# Modules of fine-tuning that bring torch are imported inside.


def build_fine_tuned_weights(name: str, group: str, deps: Sequence[str] = ()) -> dg.AssetsDefinition:
    """The asset, under the backbone's name.

    Args:
        deps: assets that its preprocessing reads.
    """
    backbone = find_backbone(name)

    @stage_asset(
        group,
        None,
        {"torch", "safetensors"},
        WEIGHTS_CHECKS,
        prefix=backbone.family,
        deps=deps,
        only_warn=("better_than_frozen",),
        exclusive=True,
    )
    def fine_tuned_weights(
        context: dg.AssetExecutionContext,
        image_scan: dict[str, pd.DataFrame],
        train_labels: np.ndarray,
        label_encoder: dict[str, int],
        duplicate_groups: pd.DataFrame,
        grouped_split: np.ndarray,
        settings: dg.ResourceParam[Settings],
        storage: dg.ResourceParam[Storage],
    ) -> Gives[None]:
        """The backbone's weights, trained further on the training part of the grouped split, as
        `RAKUTEN_FINETUNE_OPTIONS` say; the epoch with the best weighted F1 on its validation rows is kept. A weights
        file like any other, in the outputs: `RAKUTEN_WEIGHTS=<backbone>=<file>` extracts, compares and scores it. A
        killed run, launched again, goes on where its last checkpoint was.
        """
        from rakuten_assets.finetuning.checkpoints import Checkpoints
        from rakuten_assets.finetuning.preparing import open_task, training_device
        from rakuten_assets.finetuning.result import write_result
        from rakuten_assets.finetuning.training import fine_tune
        from rakuten_assets.finetuning.verdicts import better_than_frozen, no_validation_row_trained_on
        from rakuten_assets.torch_data.tables import images_of_scan

        started, log = time.monotonic(), context.log.info
        refuse_failed_scans(image_scan, settings.unreadable_warn, settings.unreadable_fail)
        options = parse_options(settings.finetune_options)
        scan = pd.concat(image_scan.values(), ignore_index=True)
        table, _ = images_of_scan(scan, open_catalog(settings), "train")
        groups, validation = train_groups(duplicate_groups), grouped_split
        with open_task(
            settings, name, options, table, train_labels, groups, validation, len(label_encoder), log
        ) as task:
            separate = no_validation_row_trained_on(task, options)
            if separate.stops:
                yield from publish(context, dg.MaterializeResult(), [separate])
            checkpoints = Checkpoints(
                storage.cache / "finetuning" / backbone.family, task.identity(options), log
            )
            tuned = fine_tune(
                task,
                options,
                device=training_device(settings),
                threads=settings.threads or usable_cores(),
                checkpoints=checkpoints,
                log=log,
                on_epoch=lambda epoch: context.log_event(
                    dg.AssetObservation(context.asset_key, metadata=epoch_metadata(epoch))
                ),
            )
            written = write_result(fine_tuned_folder(storage, backbone), tuned, task, options)
        checkpoints.clear()
        result: dg.MaterializeResult[None] = dg.MaterializeResult(
            metadata=weights_metadata(name, tuned, written, time.monotonic() - started),
            data_version=dg.DataVersion(written.sha256),
        )
        yield from publish(context, result, [separate, better_than_frozen(tuned.epochs, tuned.kept)])

    return fine_tuned_weights


def fine_tuned_folder(storage: Storage, backbone: Backbone) -> UPath:
    """Folder of the outputs that a backbone's fine-tuned weights are written to."""
    return storage.output_file(f"finetuning_{backbone.family}")
