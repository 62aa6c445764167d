"""From image files to feature rows: exact, resumable, at the machine's speed.

- `preprocessing` makes a decoded image the backbone's input, bit for bit as Pillow does
- `weights` and `backbones` say what network runs; `fingerprint` names everything that a row depends on
- `engines` run the network; `networks` prepares it once, in a process of its own
- `store` keeps finished rows by (image sha256, fingerprint); `plan` says which are missing
- `pipeline` puts these together: `Extractor.open(settings)`, `.extract(files, sha256, out)`
"""
