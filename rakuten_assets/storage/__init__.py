"""Where everything that the pipeline writes lies, and how each file proves that it is what was written.

    <storage>/outputs/             published files, for you: features, labels, masks, metadata.json
    <storage>/assets/<asset>/      each asset's own files: `03.parquet` a shard, or `<asset>.parquet`
    <storage>/assets/layout.json   format and number of shards, written once, by the first run
    <storage>/cache/               computed feature rows, converted models, compared pairs; safe to remove, costs time
    <storage>/synthetic/           the generated catalogue, where no real data is given
    <storage>/scratch/             unfinished files of running processes

Every file is compared with a digest before anything is taken from it. A digest is taken over what the file is
(`image_scan/03.parquet`) as well as over its bytes: one shard in the place of another is damage too. A storage may be
moved or copied as a whole.

| file | where its digest is | what a damaged one means |
|---|---|---|
| `.parquet` | in the file, before the footer (`tables`) | refused, with the command that makes it again |
| `.npy` | in the record `<name>.json` (`arrays`) | the same |
| `.json` of an asset | in `<name>.record.json` | the same |
| records, `layout.json`, `synthetic.json` | in the key `checksum` (`records`) | refused, with the way out |
| `cache/rows/*/extractor.json` | in the key `checksum` | said in the log, written anew |
| `cache/whole_run.json` | in the key `checksum` | everything is run again |
| `cache/rows/*/*.safetensors` | its name, and a checksum a row | said in the log; good rows are kept, others computed |
| `cache/models/*.zip` | in `conversion.json` in it | said in the log, converted again |
| `cache/near_pairs/*.outcomes` | its first 32 bytes | said in the log, pairs compared again |
| `synthetic_faults.csv` | in `synthetic.json` | refused: generate the catalogue again |

One file is one commit: it is written whole and then takes its name. Where there are two files, one of them commits:

- an asset's `.json`: its record is written before it, and knows the earlier versions too; the `.json` is the commit
- an array: its record is the commit, written last. A process that is killed between the two leaves an array that its
  record does not fit; that array is refused
"""

from rakuten_assets.storage.folder import LAYOUT_VERSION, Storage, claimed, safe_name, scratch_folder

__all__ = ["LAYOUT_VERSION", "Storage", "claimed", "safe_name", "scratch_folder"]
