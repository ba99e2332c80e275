"""Named SQL: `sql("workflow_detail")` is the text of `sql/workflow_detail.sql`, read once."""

from functools import cache
from importlib.resources import files


@cache
def sql(name: str) -> str:
    return files("osmo_views").joinpath("sql", f"{name}.sql").read_text()
