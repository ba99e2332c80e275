"""The tokens of one task: `{{output}}` and `{{input:...}}` get their values, the ids stay for later, `{{host:...}}` for the runtime."""

import re
from collections.abc import Collection, Iterable
from typing import Final

from osmo_domain.spec.model import TaskSpec
from osmo_domain.spec.storage_layout import OUTPUT_DIRECTORY, input_directory
from osmo_domain.spec.tokens import UUID, WORKFLOW_ID, replace_tokens

_LEFT: Final = re.compile(r"\{\{ *(input|host):([^{}\n]*?) *\}\}")


class TaskTexts:
    """`writes_ids` and `warnings` tell about every text that went through `put`. `peers` are the tasks of the same group."""

    def __init__(self, task: TaskSpec, peers: Collection[str]) -> None:
        self.writes_ids = False
        self.warnings: list[str] = []
        self._task = task.name
        self._peers = peers
        self._values = {"output": OUTPUT_DIRECTORY}
        for index, given in enumerate(task.inputs):
            self._values[f"input:{index}"] = input_directory(index)
            if given.task:
                self._values[f"input:{given.task}"] = input_directory(index)

    def put(self, text: str) -> str:
        if "{{" not in text:
            return text
        text = replace_tokens(text, self._values)
        self.writes_ids = self.writes_ids or WORKFLOW_ID in text or UUID in text
        for kind, name in _LEFT.findall(text):
            self._warn(kind, name)
        return text

    def put_all(self, texts: Iterable[str]) -> tuple[str, ...]:
        return tuple(self.put(text) for text in texts)

    def put_map(self, texts: dict[str, str]) -> dict[str, str]:
        return {self.put(key): self.put(value) for key, value in texts.items()}

    def _warn(self, kind: str, name: str) -> None:
        if kind == "host" and name in self._peers:
            return
        why = "no such input" if kind == "input" else "no such task in its group"
        warning = f"Task {self._task} says {{{{{kind}:{name}}}}}, and there is {why}: it stays as it is."
        if warning not in self.warnings:
            self.warnings.append(warning)
