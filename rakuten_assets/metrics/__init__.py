"""What Prometheus scrapes: the state of a storage and of Dagster's history, as figures; and a dashboard of them.

- `names`: which metrics there are
- `parts`: a part of them, read when it is asked for and has grown old
- `stored`: parts that lie in the storage; `history`: parts that Dagster knows
- `collector`, `server`: from parts to Prometheus, over HTTP
- `exporter`: all of it put together
- `dashboard`: the same metrics for Grafana
"""
