"""What is published: one set of files that belong together, replaced in one act, and read with `rakuten_assets.load`.

- `contents`: the stored files of which a set is made, and whether they belong together;
- `publication`: they are staged, then put in place together;
- `manifest`: the file that says what the set consists of, and commits it;
- `loading`, `published`: the set as arrays, tables and pictures.
"""
