"""The former name of `rakuten_assets.synthetic`: `python -m rakuten_assets.dataset.synthetic DIR` still works."""

import runpy

if __name__ == "__main__":
    runpy.run_module("rakuten_assets.synthetic", run_name="__main__", alter_sys=True)
