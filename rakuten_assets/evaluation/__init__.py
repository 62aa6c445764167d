"""From features to an honest score.

- `splits`: grouped, stratified splits that keep equal pictures on one side; `leakage` counts what a split leaks
- `heads`: classifiers on features (logistic, MLP), fitted out of fold, calibrated, stored without pickles
- `metrics`, `bootstrap`: scores by class, calibration, and how sure they are
- `predictions`: the challenge's submission file
- `suspect_labels`, `quality`: labels that are probably wrong; features that are fit for use
"""
