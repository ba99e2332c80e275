"""The examples of the FAQ, the tutorial and the overview, run to their end on this machine through the command line.

They are as written there, but for what this machine cannot do: buckets are `file://`, GPUs are none, minutes are moments.
"""

import asyncio
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import aclosing
from pathlib import Path

import psutil
import pytest
from tests.flows.gangs import logs
from tests.flows.person import Person, ends, tasks
from tests.flows.terminal import Terminal, logged_in
from tests.installation import Installation

from osmo_api.http import WorkflowAnswer

pytestmark = pytest.mark.xdist_group("osmo-up")

EXAMPLES = Path(__file__).parents[2] / "examples"
NEED_MORE = {
    "credentials.yaml": "a credential that its user has set",
}
"""Examples that do not run by themselves, and why."""


@pytest.fixture
async def terminal(up: Installation, tmp_path: Path) -> Terminal:
    return await logged_in(tmp_path, up.url, "ada")


@pytest.fixture
def bucket() -> Iterator[Path]:
    directory = Path(tempfile.mkdtemp(prefix="osmo-bucket-", dir="/var/tmp"))
    yield directory
    shutil.rmtree(directory)


async def completed(ada: Person, name: str) -> WorkflowAnswer:
    workflow = await ada.over(name)
    assert workflow.status == "COMPLETED", (ends(workflow), await logs(ada, name))
    return workflow


def shipped() -> list[str]:
    return sorted(path.name for path in EXAMPLES.glob("*.yaml") if path.name not in NEED_MORE)


@pytest.mark.parametrize("name", shipped())
async def test_a_shipped_example_completes(ada: Person, terminal: Terminal, name: str) -> None:
    await completed(ada, await terminal.submit(str(EXAMPLES / name)))


TEMPLATE = """
workflow:
  name: "{{workflow_name}}"

  resources:
    training:
      cpu: 1
      memory: 1Gi

  tasks:
  {% for i in range(num_tasks) %}
  - name: train-model-{{i}}
    image: {{training_image}}
    command: ["echo"]
    args:
    - "--dataset={{dataset_name}}"
    - "--model={{model_type}}"
    - "--fold={{i}}"
    resource: training
  {% endfor %}

default-values:
  workflow_name: ml-training
  dataset_name: imagenet
  model_type: resnet50
  num_tasks: 3
  training_image: nvcr.io/nvidia/pytorch:24.01-py3
"""


async def test_a_template_fans_out_as_it_is_told(ada: Person, terminal: Terminal) -> None:
    path = terminal.write("template-workflow.yaml", TEMPLATE)
    assert len(tasks(await completed(ada, await terminal.submit(path)))) == 3
    name = await terminal.submit(path, "--set", "model_type=efficientnet", "num_tasks=5")
    assert sorted(tasks(await completed(ada, name))) == [f"train-model-{n}" for n in range(5)]
    assert "[train-model-4] --dataset=imagenet --model=efficientnet --fold=4" in await logs(ada, name)


LOCAL_SCRIPT = """
workflow:
  name: local-script
  tasks:
  - name: run-local-script
    image: ubuntu:24.04
    command: [sh]
    args: [/tmp/run.sh]
    files:
    - localpath: scripts/my_script.sh
      path: /tmp/run.sh
"""


async def test_a_local_file_comes_along(ada: Person, terminal: Terminal) -> None:
    terminal.write("flow/scripts/my_script.sh", 'echo "from $0: \\"quoted\\": $((6 * 7))"\n')
    name = await terminal.submit(terminal.write("flow/local.yaml", LOCAL_SCRIPT))
    await completed(ada, name)
    assert '[run-local-script] from /tmp/run.sh: "quoted": 42' in await logs(ada, name)


CHECKPOINT = r"""
workflow:
  name: train-with-selective-checkpointing
  tasks:
  - name: train-with-selective-checkpointing
    image: ubuntu:24.04
    command: [/bin/bash]
    args: [/tmp/run.sh]
    files:
    - path: /tmp/run.sh
      contents: |-
        #!/bin/bash
        set -ex

        mkdir -p /tmp/data
        for i in {1..6}; do
            # Alternate file type for odd/even files
            if (( $i % 2 == 0 )); then
                filename="/tmp/data/file_$i.bin"
            else
                filename="/tmp/data/file_$i.txt"
            fi
            dd if=/dev/urandom of=$filename bs=1K count=5
            sleep 0.5s
        done
        until [ -e BUCKET/go ]; do sleep 0.1; done
        touch /tmp/data/last.bin
    checkpoint:
    - path: /tmp/data
      url: file://BUCKET/all
      frequency: 1s
    - path: /tmp/data
      url: file://BUCKET/model-selective-checkpoints
      frequency: 1s
      regex: .*\.(bin)$
"""


async def test_checkpoints_every_second_and_once_more_at_the_end(ada: Person, terminal: Terminal, bucket: Path) -> None:
    text = CHECKPOINT.replace("BUCKET", str(bucket))
    name = await terminal.submit(terminal.write("checkpoint.yaml", text))
    selected = bucket / "model-selective-checkpoints"
    async with asyncio.timeout(20):
        while not (selected / "file_2.bin").exists():
            await asyncio.sleep(0.05)
    running = await ada.api.workflow(name)
    assert running.status == "RUNNING"
    (bucket / "go").touch()
    await completed(ada, name)
    assert sorted(path.name for path in selected.iterdir()) == ["file_2.bin", "file_4.bin", "file_6.bin", "last.bin"]
    assert len(list((bucket / "all").iterdir())) == 7


OSMO_CLI = """
workflow:
  name: osmo-cli
  tasks:
  - name: task1
    resource: default
    image: ubuntu:24.04
    command: ['sh']
    args: ['/tmp/run.sh']
    files:
    - contents: |
        echo "Invoking OSMO client from a script"
        osmo version # (1)
        osmo workflow query {{workflow_id}}
      path: /tmp/run.sh
"""


async def test_osmo_inside_a_task_speaks_for_its_user(ada: Person, terminal: Terminal) -> None:
    name = await terminal.submit(terminal.write("osmo-cli.yaml", OSMO_CLI))
    await completed(ada, name)
    said = await logs(ada, name)
    assert "[task1] OSMO service version:" in said
    assert f"[task1] Workflow ID : {name}" in said
    assert "[task1] User        : ada" in said


RESILIENT = """
workflow:
  name: resilient
  tasks:
  - name: resilient-task
    image: ubuntu:24.04
    command: ["bash", "-c", "mkdir BUCKET/first && exit 22; cat BUCKET/data"]
    exitActions:
      COMPLETE: 0
      RESCHEDULE: 1-255
"""


async def test_a_task_is_rescheduled_until_it_succeeds(ada: Person, terminal: Terminal, bucket: Path) -> None:
    (bucket / "data").write_text("at last\n")
    text = RESILIENT.replace("BUCKET", str(bucket))
    name = await terminal.submit(terminal.write("resilient.yaml", text))
    await completed(ada, name)
    assert "[resilient-task retry-1] at last" in await logs(ada, name)
    assert "Rescheduled: The command ended with exit code 22. Exit action RESCHEDULE applied." in await terminal.osmo(
        "workflow", "events", name
    )


HANGS = """
workflow:
  name: hangs
  tasks:
  - name: my_task
    image: python:3.12
    command: [sh, -c]
    args: ["python3 BUCKET/job.py"]
    exitActions:
      RESCHEDULE: 137
"""


async def test_a_hanging_process_that_is_killed_with_9_goes_again(
    ada: Person, terminal: Terminal, bucket: Path
) -> None:
    job = bucket / "job.py"
    job.write_text("import time; print('hangs', flush=True); time.sleep(1000)")
    name = await terminal.submit(terminal.write("hangs.yaml", HANGS.replace("BUCKET", str(bucket))))
    async with asyncio.timeout(20):
        while not (hanging := _python_running(job)):
            await asyncio.sleep(0.05)
    job.write_text("print('done')")
    for process in hanging:
        process.kill()
    await completed(ada, name)
    shown = await terminal.osmo("workflow", "query", name, "--verbose")
    assert "RESCHEDULED" in shown
    assert "[my_task retry-1] done" in await logs(ada, name)


def _python_running(job: Path) -> list[psutil.Process]:
    found = psutil.process_iter(["cmdline"])
    return [each for each in found if (each.info["cmdline"] or [])[1:] == [str(job)]]


EXCLUDED = """
workflow:
  name: exclude-nodes-demo
  resources:
    default:
      cpu: 1
      memory: 1Gi
      storage: 1Gi
      nodesExcluded: [NODES]
  tasks:
  - name: my-task
    image: ubuntu:24.04
    command: ["bash", "-c", "echo 'Running on a good node'"]
"""


async def test_excluded_nodes_are_not_used(ada: Person, terminal: Terminal) -> None:
    name = await terminal.submit(terminal.write("demo.yaml", EXCLUDED.replace("NODES", "worker1, worker2")))
    here = tasks(await completed(ada, name))["my-task"].node_name
    waits = await terminal.submit(terminal.write("all.yaml", EXCLUDED.replace("NODES", f"worker1, {here}")))
    await ada.until(waits, lambda workflow: ends(workflow)["my-task"][0] == "PROCESSING")
    assert "my-task-group waits: " in await terminal.osmo("workflow", "query", waits)
    await terminal.osmo("workflow", "cancel", waits)
    assert (await ada.over(waits)).status == "FAILED_CANCELED"


THREE_GROUPS = """
workflow:
  name: my_workflow
  groups:
  - name: group_1
    tasks:
    - {name: task_1, lead: true, image: i, command: [sh, -c, "until [ -e BUCKET/task_2 ]; do sleep 0.05; done; sleep 1"]}
    - {name: task_2, image: i, command: [sh, -c, "echo 3 > {{output}}/dataset; touch BUCKET/task_2"]}
    - {name: task_3, image: i, command: ["true"]}
  - name: group_2
    tasks:
    - {name: task_4, lead: true, image: i, command: [grep, "3", "{{input:0}}/dataset"], inputs: [{task: task_2}]}
  - name: group_3
    tasks:
    - {name: task_5, lead: true, image: i, command: [grep, "3", "{{input:0}}/dataset"], inputs: [{task: task_2}]}
    - {name: task_6, image: i, command: [echo, started]}
"""


async def test_groups_run_after_the_group_that_makes_their_data(ada: Person, terminal: Terminal, bucket: Path) -> None:
    name = await terminal.submit(terminal.write("groups.yaml", THREE_GROUPS.replace("BUCKET", str(bucket))))
    workflow = await completed(ada, name)
    by_name = {group.name: group for group in workflow.groups}
    first_end = by_name["group_1"].end_time
    assert first_end is not None
    for later in ("task_4", "task_5", "task_6"):
        started = tasks(workflow)[later].start_time
        assert started is not None
        assert started >= first_end


PIPELINE = """
workflow:
  name: ml-pipeline
  tasks:
  - name: preprocess
    image: python:3.10
    command: ["sh"]
    args: ["-c", "echo clean > {{output}}/data"]
  - name: train
    image: pytorch/pytorch
    command: ["sh"]
    args: ["-c", "cat {{input:0}}/data > {{output}}/model; echo trained >> {{output}}/model"]
    inputs:
    - task: preprocess
  - name: evaluate
    image: python:3.10
    command: ["grep", "trained", "{{input:0}}/model"]
    inputs:
    - task: train
  - name: export-onnx
    image: python:3.10
    command: ["sh"]
    args:
    - "-c"
    - "cp {{input:0}}/model {{output}}/onnx"
    inputs:
    - task: train
    outputs:
    - url: file://BUCKET/models/
"""


async def test_the_pipeline_of_the_overview(ada: Person, terminal: Terminal, bucket: Path) -> None:
    await completed(ada, await terminal.submit(terminal.write("p.yaml", PIPELINE.replace("BUCKET", str(bucket)))))
    assert (bucket / "models" / "onnx").read_text() == "clean\ntrained\n"


PAUSED = """
workflow:
  name: paused
  tasks:
  - name: my_task
    image: ubuntu:24.04
    command: bash
    args: ["/tmp/script.sh"]
    files:
    - path: "/tmp/script.sh"
      contents: |
        # Here somebody would step into the task and touch the file.
        (until [ -e BUCKET/go ]; do sleep 0.05; done; touch /done.txt) &
        echo paused
        while ! [ -f /done.txt ] ; do sleep 0.1 ; done
        echo goes on
"""


async def test_a_workflow_pauses_until_its_file_is_there(ada: Person, terminal: Terminal, bucket: Path) -> None:
    name = await terminal.submit(terminal.write("paused.yaml", PAUSED.replace("BUCKET", str(bucket))))
    async with asyncio.timeout(20), aclosing(ada.api.lines(f"/api/workflow/{name}/logs")) as lines:
        async for line in lines:
            if line.endswith("[my_task] paused"):
                break
    (bucket / "go").touch()
    await completed(ada, name)
    assert "[my_task] goes on" in await logs(ada, name)
    assert not Path("/done.txt").exists(), "the task's root is its own"


TALK = """
workflow:
  name: talk
  groups:
  - name: together
    tasks:
    - name: server
      lead: true
      image: python:3.12
      command: [python3, /tmp/server.py, "{{host:server}}"]
      files:
      - path: /tmp/server.py
        contents: |
          import socket, sys
          listening = socket.create_server((sys.argv[1], 45110))
          for _ in range(2):
              connection, _ = listening.accept()
              print("heard", connection.makefile().readline().strip(), flush=True)
              connection.sendall(b"thanks")
              connection.close()
{% for name in ("one", "two") %}
    - name: {{ name }}
      image: python:3.12
      command: [python3, /tmp/client.py, "{{host:server}}", {{ name }}]
      environment: {MY_ADDRESS: "{% raw %}{{host:{% endraw %}{{ name }}{% raw %}}}{% endraw %}"}
      files:
      - path: /tmp/client.py
        contents: |
          import os, socket, sys, time
          own = socket.create_server((os.environ["MY_ADDRESS"], 45110))   # the same port, at an address of its own
          while True:
              try:
                  connection = socket.create_connection((sys.argv[1], 45110))
                  break
              except ConnectionRefusedError:
                  time.sleep(0.05)
          connection.sendall(sys.argv[2].encode() + b"\\n")
          print(connection.recv(10).decode())
{% endfor %}
"""


async def test_a_gang_talks_over_addresses_of_its_own(ada: Person, terminal: Terminal) -> None:
    name = await terminal.submit(terminal.write("talk.yaml", TALK))
    await completed(ada, name)
    said = await logs(ada, name)
    assert "[server] heard one" in said
    assert "[server] heard two" in said
    assert said.count("Waiting for the other tasks of group together") == 3
