"""Every key of a spec: what it is called, what may stand there, what it is for. Errors and `explain` speak from these tables."""

from typing import Final

from osmo_domain.labels import MOST as MOST_LABELS
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
from osmo_domain.spec.storage_layout import OUTPUT_DIRECTORY
from osmo_domain.spec.tree import MapNode, Node, ScalarNode

TIMEOUT: Final = MapType(
    "timeout",
    TimeoutSpec,
    [
        Key(
            "exec_timeout",
            t.DURATION,
            "How long each group may run.",
            rules=(
                "The clock starts when the group's first task runs; a task that is rescheduled does not set it back.",
            ),
        ),
        Key("queue_timeout", t.DURATION, "How long each group may wait for its pods to start."),
    ],
    rules=(
        "Without a value the pool's default holds, else the installation's. More than their maximum is cut down to it.",
    ),
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
        Key("cpu", t.WHOLE, "CPUs of each task.", rules=("Whole ones; 0 asks for nothing.",)),
        Key("gpu", t.WHOLE, "GPUs of each task."),
        Key("memory", t.QUANTITY, "Memory of each task."),
        Key("storage", t.QUANTITY, "Local disk of each task."),
        Key(
            "platform",
            t.TEXT,
            "The kind of node, one of the pool's platforms.",
            "",
            rules=("Without it the pool's default platform is meant; where there is none, it must be given.",),
        ),
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
    (
        f"Below /osmo a path may only be in {OUTPUT_DIRECTORY}; a task has each path once.",
        "`osmo workflow submit` also takes `localpath`, a text file beside the spec, and puts its text into `contents`.",
    ),
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
    (
        "A reference is [bucket/]name[:tag]: letters, digits, `-` and `_`, or the token {{workflow_id}}. A tag of digits is a version.",
        "A group that reads a dataset starts after the groups before it that write it, unless it names a version by its number.",
        "It is found below {{input:<number>}}/<name>/.",
    ),
)


def _dataset(node: Node) -> DatasetSpec:
    """A name alone is a map with that name."""
    if isinstance(node, ScalarNode) and node.value is not None:
        node = MapNode({"name": (node, node)}, node.line, node.column)
    return DATASET.read(node)


DATASET_OR_NAME: Final = Type("a map (dataset), or only its name", _dataset, of=DATASET)

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
    ("The version that is added to is the one of the tag, else the latest. It becomes a new version.",),
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
    (
        "Exactly one of `task`, `url` and `dataset`; the `regex` of a dataset stands inside it.",
        "Inputs are numbered from 0: the task finds the first one below {{input:0}}, and that of a task also below {{input:<task>}}.",
        "A task starts when all that it takes inputs from have completed, in whatever order they are written.",
    ),
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
    (
        "Exactly one of `url`, `dataset` and `update_dataset`; the `regex` of a dataset stands inside it.",
        "What the task wrote below {{output}} is uploaded when its command has ended, also with an error; never after a cancellation.",
    ),
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
        Key(
            "frequency",
            t.DURATION,
            "How long to wait between two savings.",
            REQUIRED,
            rules=("It counts from the end of the saving before and must be more than nothing.",),
        ),
        Key("regex", t.REGEX, "Which files.", ""),
    ],
    check_checkpoint,
    ("A last saving is made when the command ends, whatever its exit code.",),
)

TASK: Final = MapType(
    "task",
    TaskSpec,
    [
        Key("name", t.NAME, "Its name, of which there is one in the workflow.", REQUIRED),
        Key("image", t.IMAGE, "The container image.", REQUIRED),
        Key("command", t.COMMAND, "The program that runs, and its first arguments.", REQUIRED),
        Key("args", t.TEXTS, "Further arguments.", ()),
        Key(
            "lead",
            t.FLAG,
            "Whether its end ends its group.",
            False,
            rules=("Each group has exactly one lead; a task that is alone is it.",),
        ),
        Key("environment", t.ENVIRONMENT, "Environment variables.", {}),
        Key("credentials", t.CREDENTIALS, "The user's credentials that it gets, as files or variables.", {}),
        Key("inputs", list_of(INPUT), "What is put into its input directories before it starts.", ()),
        Key("outputs", list_of(OUTPUT), "Where its output directory is copied when it has ended.", ()),
        Key("files", list_of(FILE), "Files that are put into its container.", ()),
        Key("kpis", list_of(KPI), "Files with figures about the run.", ()),
        Key("checkpoint", list_of(CHECKPOINT), "Directories that are saved while it runs.", ()),
        Key("exitActions", t.EXIT_ACTIONS, "What to do on which exit code.", {}, "exit_actions"),
        Key(
            "volumeMounts",
            t.TEXTS,
            "Directories of the node, as source or source:destination.",
            (),
            "volume_mounts",
            ("The platform must allow the source.",),
        ),
        Key(
            "privileged",
            t.FLAG,
            "Whether the container is privileged.",
            False,
            rules=("The platform must allow it.",),
        ),
        Key(
            "hostNetwork",
            t.FLAG,
            "Whether it uses the node's network.",
            False,
            "host_network",
            ("The platform must allow it.",),
        ),
        Key("downloadType", t.one_of("download"), "How inputs come.", "", "download_type"),
        Key(
            "cacheSize",
            t.TEXT,
            "How much of the storage is for caching.",
            "",
            "cache_size",
            ("0% to 100%, or an amount.",),
        ),
        Key(
            "resource",
            t.TEXT,
            "The entry of `resources` that says what it needs.",
            "default",
            rules=("There must be such an entry.",),
        ),
    ],
    check_task,
    (
        "Names of tasks and groups are one namespace, in which case and `_` against `-` make no difference.",
        "A task outside a group gets one of its own, called `<task>-group`.",
    ),
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
    ("Exactly one task has `lead: true`; a task that is alone is the lead.",),
)

WORKFLOW: Final = MapType(
    "workflow",
    WorkflowSpec,
    [
        Key("name", t.NAME, "Its name; runs are counted per name.", REQUIRED),
        Key("tasks", list_of(TASK), "The tasks, each for itself.", ()),
        Key("groups", list_of(GROUP), "The tasks, in groups that start together.", ()),
        Key(
            "resources",
            map_of(RESOURCE),
            "What tasks need, by a name of your choice.",
            None,
            rules=(
                "Without it there is one entry, `default`, that asks for nothing. With it, `default` is there only if you write it.",
            ),
        ),
        Key("timeout", TIMEOUT, "How long things may take.", None),
        Key(
            "labels",
            map_of(t.ONLY_TEXT),
            "Labels for finding it again.",
            {},
            rules=(
                f"At most {MOST_LABELS}. Keys and values as Kubernetes has them.",
                "They cannot be changed later. `--label key=value` goes over them.",
            ),
        ),
        Key("pool", t.TEXT, "Has no effect: the pool is chosen when submitting.", ""),
        Key("backend", t.TEXT, "Has no effect: the pool's backend is used.", ""),
    ],
    check_workflow,
    ("Exactly one of `tasks` and `groups`.",),
)
