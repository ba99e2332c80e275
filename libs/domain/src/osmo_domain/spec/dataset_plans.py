"""How datasets come into a plan while the installation stores none: handed on within one workflow, like the output of a task.

Below `<task>.datasets/<bucket>.<name>/` in the data of the workflow there is one directory, named as the dataset, so that it lands where users
expect it: `{{input:0}}/<name>/`. What cannot be handed on so is valid all the same, and is refused only where it is really to run.
"""

import re
from typing import Final

from osmo_domain.errors import Rejected
from osmo_domain.plan import DatasetUse, InputPlan, OutputPlan
from osmo_domain.spec.datasets import DatasetRef, Writer, find_writers, reference
from osmo_domain.spec.model import DatasetSpec, InputSpec, OutputSpec, WorkflowSpec
from osmo_domain.spec.storage_layout import task_data_url
from osmo_domain.spec.task_texts import TaskTexts
from osmo_domain.spec.tokens import WORKFLOW_ID
from osmo_domain.spec.tree import refused

NOT_STORED: Final = "this installation does not store datasets"


class DatasetPlans:
    """The datasets of one workflow. `unserved` is the first that cannot be had here; `warnings` say what is not as the user may expect."""

    def __init__(self, workflow: WorkflowSpec, data_url: str) -> None:
        self.unserved: Rejected | None = None
        self.warnings: list[str] = []
        self._data_url = data_url
        self._routes: dict[int, Writer] = {}
        self._read: set[int] = set()
        for given, writers in find_writers(workflow).items():
            if len(writers) == 1 and _can_be_handed_on(writers[0].output):
                self._routes[given] = writers[0]
                self._read.add(id(writers[0].output))

    def input(self, given: InputSpec, dataset: DatasetSpec, texts: TaskTexts) -> InputPlan:
        route = self._routes.get(id(given))
        task = given.task or (route.task if route else "")
        if not task or dataset.localpath or not self._data_url:
            self._refuse(dataset, "is read from a version")
            return InputPlan(url="")
        url = self._url(given.workflow or WORKFLOW_ID, task, reference(dataset), texts)
        use = DatasetUse(texts.put(dataset.name), dataset.regex)
        return InputPlan(url=url, regex=read_pattern(dataset), task=task, workflow=given.workflow, dataset=use)

    def output(self, output: OutputSpec, task: str, texts: TaskTexts) -> OutputPlan:
        dataset = output.dataset or output.update_dataset
        assert dataset is not None
        if id(output) not in self._read or not self._data_url:
            self._refuse(dataset, "would become a new version")
            return OutputPlan(url="", intermediate=True)
        self._warn(
            f"Dataset {reference(dataset)} is handed on within this workflow and not kept as a version: {NOT_STORED}."
        )
        ref = reference(dataset)
        return OutputPlan(
            url=f"{self._url(WORKFLOW_ID, task, ref, texts)}/{texts.put(ref.name)}",
            regex=written_pattern(dataset),
            intermediate=True,
            dataset=DatasetUse(texts.put(dataset.name), dataset.regex, dataset.path),
        )

    def _url(self, workflow_id: str, task: str, ref: DatasetRef, texts: TaskTexts) -> str:
        """A place that holds nothing but a directory with the dataset's name."""
        return (
            f"{task_data_url(self._data_url, workflow_id, f'{task}.datasets')}/{texts.put(f'{ref.bucket}.{ref.name}')}"
        )

    def _refuse(self, dataset: DatasetSpec, what: str) -> None:
        """Say so, and remember the first one with its place."""
        message = f"Dataset {reference(dataset)} {what}, and {NOT_STORED}"
        self._warn(f"{message}: submitting would be refused.")
        if self.unserved is None:
            self.unserved = refused(
                dataset.source.at("name"),
                "plan.no_datasets",
                f"{message}; use `url`, or `task` for the output of a task.",
            )

    def _warn(self, warning: str) -> None:
        if warning not in self.warnings:
            self.warnings.append(warning)


def _can_be_handed_on(output: OutputSpec) -> bool:
    """A new version, and not an older one with something added; of the whole output directory or one thing in it."""
    dataset = output.dataset
    return dataset is not None and "/" not in dataset.path and "*" not in dataset.path


def written_pattern(dataset: DatasetSpec) -> str:
    """The regular expression of what the output takes of the output directory."""
    if not dataset.path:
        return dataset.regex
    return _behind(rf"(?={re.escape(dataset.path)}(?:/|$))", dataset)


def read_pattern(dataset: DatasetSpec) -> str:
    """The regular expression of what the input takes, below the place where the dataset is one directory."""
    return _behind(f"{re.escape(reference(dataset).name)}/", dataset) if dataset.regex else ""


def _behind(start: str, dataset: DatasetSpec) -> str:
    """The dataset's own expression behind another one. Flags for all of it, like `(?i)`, can only stand first."""
    pattern = f"{start}(?:{dataset.regex})"
    try:
        re.compile(pattern)
    except re.error as error:
        message = f'"{dataset.regex[:80]}" cannot be used for a dataset here: {error}.'
        raise refused(dataset.source.at("regex"), "spec.regex", message) from error
    return pattern
