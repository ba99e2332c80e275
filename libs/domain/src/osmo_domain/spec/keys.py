"""Every key of a spec: what it is called, what may stand there, what it is for. Errors and `explain` speak from these tables."""

from typing import Final

from osmo_domain.spec import types as t
from osmo_domain.spec.datasets import check_dataset, check_update
from osmo_domain.spec.map_rules import (
    check_checkpoint,
    check_file,
    check_group,
    check_input,
    check_output,
    check_task,
    check_workflow,
)
from osmo_domain.spec.model import (
    CheckpointSpec,
    DatasetSpec,
    FileSpec,
    GroupSpec,
    InputSpec,
    KpiSpec,
    OutputSpec,
    ResourceSpec,
    TaskSpec,
    TimeoutSpec,
    TopologySpec,
    WorkflowSpec,
)
from osmo_domain.spec.schema import REQUIRED, Key, MapType, Type, list_of, map_of
from osmo_domain.spec.tree import MapNode, Node, ScalarNode

TIMEOUT: Final = MapType(
    "timeout",
    TimeoutSpec,
    [
        Key("exec_timeout", t.DURATION, "How long each group may run."),
        Key("queue_timeout", t.DURATION, "How long each group may wait for its pods to start."),
    ],
)

TOPOLOGY: Final = MapType(
    "topology",
    TopologySpec,
    [
        Key("key", t.TEXT, "The level of the pool's topology that tasks share.", REQUIRED),
        Key("group", t.TEXT, "Tasks of the same group share it.", "default"),
        Key(
            "requirementType",
            t.one_of("required", "preferred"),
            "Whether to wait for it or only to prefer it.",
            "required",
            "requirement_type",
        ),
    ],
)

RESOURCE: Final = MapType(
    "resource",
    ResourceSpec,
    [
        Key("cpu", t.WHOLE, "CPUs of each task."),
        Key("gpu", t.WHOLE, "GPUs of each task."),
        Key("memory", t.QUANTITY, "Memory of each task."),
        Key("storage", t.QUANTITY, "Local disk of each task."),
        Key("platform", t.TEXT, "The kind of node, one of the pool's platforms.", ""),
        Key("nodesExcluded", t.TEXTS, "Nodes on which the tasks shall not run.", (), "nodes_excluded"),
        Key("topology", list_of(TOPOLOGY), "How near to each other the tasks shall run.", ()),
    ],
)

FILE: Final = MapType(
    "file",
    FileSpec,
    [
        Key("path", t.TEXT, "Where the file is put in the task's container.", REQUIRED),
        Key("contents", t.TEXT, "What stands in the file.", REQUIRED),
        Key("base64", t.FLAG, "Whether the contents are base64 of the bytes.", False),
    ],
    check_file,
)

DATASET: Final = MapType(
    "dataset",
    DatasetSpec,
    [
        Key("name", t.TEXT, "The dataset, as [bucket/]name[:tag].", REQUIRED),
        Key("regex", t.REGEX, "Which files.", ""),
        Key("path", t.TEXT, "Which part of the output directory.", ""),
        Key("metadata", t.TEXTS, "YAML files with metadata of the version.", ()),
        Key("labels", t.TEXTS, "YAML files with labels of the dataset.", ()),
        Key("localpath", t.TEXT, "A file or directory beside the spec that becomes a version of it (inputs).", ""),
    ],
    check_dataset,
)


def _dataset(node: Node) -> DatasetSpec:
    """A name alone is a map with that name."""
    if isinstance(node, ScalarNode) and node.value is not None:
        node = MapNode({"name": (node, node)}, node.line, node.column)
    return DATASET.read(node)


DATASET_OR_NAME: Final = Type("a map (dataset), or only its name", _dataset, DATASET)

UPDATE_DATASET: Final = MapType(
    "dataset update",
    DatasetSpec,
    [
        Key("name", t.TEXT, "The dataset, as [bucket/]name[:tag].", REQUIRED),
        Key("paths", t.TEXTS, "Which parts of the output directory.", ()),
        Key("path", t.TEXT, "The same, where it is one.", ""),
        Key("metadata", t.TEXTS, "YAML files with metadata of the version.", ()),
        Key("labels", t.TEXTS, "YAML files with labels of the dataset.", ()),
    ],
    check_update,
)

INPUT: Final = MapType(
    "input",
    InputSpec,
    [
        Key("task", t.TEXT, "The task whose output it is, or `<workflow id>:<task>` of an earlier workflow.", ""),
        Key("url", t.STORAGE_URI, "The place in storage that it is copied from.", ""),
        Key("dataset", DATASET_OR_NAME, "The dataset that it is."),
        Key("regex", t.REGEX, "Which files, by their path below the place.", ""),
    ],
    check_input,
)

OUTPUT: Final = MapType(
    "output",
    OutputSpec,
    [
        Key("url", t.STORAGE_URI, "The place in storage that it is copied to.", ""),
        Key("dataset", DATASET_OR_NAME, "The dataset that gets it as a new version."),
        Key("update_dataset", UPDATE_DATASET, "The dataset to which it is added."),
        Key("regex", t.REGEX, "Which files, by their path below the output directory.", ""),
    ],
    check_output,
)

KPI: Final = MapType(
    "kpi",
    KpiSpec,
    [
        Key("index", t.TEXT, "Its name.", REQUIRED),
        Key("path", t.TEXT, "The file below the output directory that holds it.", REQUIRED),
    ],
)

CHECKPOINT: Final = MapType(
    "checkpoint",
    CheckpointSpec,
    [
        Key("path", t.TEXT, "The directory of the task that is saved.", REQUIRED),
        Key("url", t.STORAGE_URI, "The place in storage where it is saved.", REQUIRED),
        Key("frequency", t.DURATION, "How long to wait between two savings.", REQUIRED),
        Key("regex", t.REGEX, "Which files.", ""),
    ],
    check_checkpoint,
)

TASK: Final = MapType(
    "task",
    TaskSpec,
    [
        Key("name", t.NAME, "Its name, of which there is one in the workflow.", REQUIRED),
        Key("image", t.IMAGE, "The container image.", REQUIRED),
        Key("command", t.COMMAND, "The program that runs, and its first arguments.", REQUIRED),
        Key("args", t.TEXTS, "Further arguments.", ()),
        Key("lead", t.FLAG, "Whether its end ends its group.", False),
        Key("environment", t.ENVIRONMENT, "Environment variables.", {}),
        Key("credentials", t.CREDENTIALS, "The user's credentials that it gets, as files or variables.", {}),
        Key("inputs", list_of(INPUT), "What is put into its input directories before it starts.", ()),
        Key("outputs", list_of(OUTPUT), "Where its output directory is copied when it has ended.", ()),
        Key("files", list_of(FILE), "Files that are put into its container.", ()),
        Key("kpis", list_of(KPI), "Files with figures about the run.", ()),
        Key("checkpoint", list_of(CHECKPOINT), "Directories that are saved while it runs.", ()),
        Key("exitActions", t.EXIT_ACTIONS, "What to do on which exit code.", {}, "exit_actions"),
        Key("volumeMounts", t.TEXTS, "Directories of the node, as source or source:destination.", (), "volume_mounts"),
        Key("privileged", t.FLAG, "Whether the container is privileged.", False),
        Key("hostNetwork", t.FLAG, "Whether it uses the node's network.", False, "host_network"),
        Key("downloadType", t.one_of("download"), "How inputs come.", "", "download_type"),
        Key("cacheSize", t.TEXT, "How much of the storage is for caching.", "", "cache_size"),
        Key("resource", t.TEXT, "The entry of `resources` that says what it needs.", "default"),
    ],
    check_task,
)

GROUP: Final = MapType(
    "group",
    GroupSpec,
    [
        Key("name", t.NAME, "Its name, of which there is one in the workflow.", REQUIRED),
        Key("tasks", list_of(TASK, at_least=1), "The tasks that start together.", REQUIRED),
        Key("barrier", t.FLAG, "Whether they wait for each other before they start.", True),
        Key(
            "ignoreNonleadStatus",
            t.FLAG,
            "Whether only the lead's end counts.",
            True,
            "ignore_nonlead_status",
        ),
    ],
    check_group,
)

WORKFLOW: Final = MapType(
    "workflow",
    WorkflowSpec,
    [
        Key("name", t.NAME, "Its name; runs are counted per name.", REQUIRED),
        Key("tasks", list_of(TASK), "The tasks, each for itself.", ()),
        Key("groups", list_of(GROUP), "The tasks, in groups that start together.", ()),
        Key("resources", map_of(RESOURCE), "What tasks need, by a name of your choice.", None),
        Key("timeout", TIMEOUT, "How long things may take.", None),
        Key("labels", map_of(t.TEXT), "Labels for finding it again.", {}),
        Key("pool", t.TEXT, "Has no effect: the pool is chosen when submitting.", ""),
        Key("backend", t.TEXT, "Has no effect: the pool's backend is used.", ""),
    ],
    check_workflow,
)
