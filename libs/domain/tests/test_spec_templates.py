"""Sections, variables, tokens and Jinja."""

from typing import Any

import pytest

from osmo_domain.errors import Rejected
from osmo_domain.spec.render import render, render_sections, trace_sections
from osmo_domain.spec.sections import split_sections
from osmo_domain.spec.tokens import has_jinja
from osmo_domain.spec.variables import template_variables

FAN_OUT = """# a comment
{% set lost = 1 %}
default-values:
  count: 2
  image: alpine
workflow:
  name: "{{ name }}"
  tasks:
  {% for i in range(count) %}
  - name: t-{{i}}
    image: {{image}}
    command: {{command}}
    args: ["{{output}}", "{{host:t-{{i}}}}"]
  {% endfor %}
"""


def test_only_the_workflow_section_is_rendered() -> None:
    text = render_sections(split_sections(FAN_OUT), ["count=1", "command=a", "name=x"], ["name=007"])
    assert text.split("\n") == [
        "workflow:",
        '  name: "007"',
        "  tasks:",
        "  ",
        "  - name: t-0",
        "    image: alpine",
        "    command: a",
        '    args: ["{{output}}", "{{host:t-0}}"]',
        "  ",
        "",
    ]


def test_rendered_lines_are_traced_to_the_file_also_where_a_value_has_several() -> None:
    sections = split_sections(FAN_OUT)
    arguments = ["count=2", "name=x"], ["command=[a,\nb]"]
    lines = trace_sections(sections, *arguments)
    rendered = render_sections(sections, *arguments).split("\n")
    assert len(lines) == len(rendered)
    traced = [(line, text.strip()) for line, text in zip(lines, rendered, strict=True) if text.strip()]
    assert traced[:3] == [(6, "workflow:"), (7, 'name: "x"'), (8, "tasks:")]
    assert [line for line, text in traced if text.startswith("- name")] == [10, 10]
    assert [line for line, text in traced if text in ("command: [a,", "b]")] == [12, 12, 12, 12]


@pytest.mark.parametrize(
    ("text", "code", "line"),
    [
        ("workflow:\n  a: 1\nworkflo:\n  b: 2\n", "spec.unknown_section", 3),
        ("workflow: {}\nworkflow: {}\n", "spec.duplicate_section", 2),
        ("version: 2\n", "spec.no_workflow", None),
        ("", "spec.no_workflow", None),
    ],
)
def test_sections_that_are_wrong(text: str, code: str, line: int | None) -> None:
    with pytest.raises(Rejected) as refusal:
        split_sections(text)
    assert (refusal.value.code, refusal.value.error_code, refusal.value.line) == (code, "USER", line)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("x=1", 1),
        ("x=1_000", 1000),
        ("x=007", 7),
        ("x=22.10", 22.1),
        ("x=1e3", 1000.0),
        ("x=true", "true"),
        ("x=a=b", "a=b"),
        ("x=", ""),
    ],
)
def test_set_makes_numbers_of_what_looks_like_one(option: str, value: Any) -> None:
    assert template_variables(None, [option]) == {"x": value}
    assert template_variables(None, [], [option]) == {"x": option[2:]}


def test_an_option_without_equals_sign_is_a_usage_error() -> None:
    with pytest.raises(Rejected) as refusal:
        template_variables(None, ["foo"])
    assert (refusal.value.code, refusal.value.error_code) == ("template.set", "USAGE")


def test_defaults_that_are_no_map_are_refused_and_empty_ones_are_none() -> None:
    assert template_variables("default-values:\n") == {}
    with pytest.raises(Rejected) as refusal:
        template_variables("default-values: [1]\n")
    assert (refusal.value.code, refusal.value.line, refusal.value.column) == ("template.defaults", 1, 17)


def test_errors_in_the_defaults_have_their_line_in_the_file() -> None:
    with pytest.raises(Rejected) as refusal:
        render_sections(split_sections("workflow: {a: 1}\ndefault-values:\n  a: 1\n  a: 2\n"))
    assert (refusal.value.code, refusal.value.line) == ("yaml.duplicate_key", 4)


@pytest.mark.parametrize(
    "text",
    [
        "{{uuid}} {{workflow_id}} {{output}} {{input:0}} {{input:a task}} {{host:b}}",
        "{% raw %}{{output}}{% endraw %}",
        "{{ '{{output}}' }}",
    ],
)
def test_special_tokens_survive(text: str) -> None:
    rendered = render(text, {"output": "wrong", "uuid": "wrong"})
    assert "{{output}}" in rendered
    assert "wrong" not in rendered


def test_a_token_with_spaces_is_a_variable() -> None:
    with pytest.raises(Rejected, match="undefined"):
        render("{{ output }}", {})


@pytest.mark.parametrize(
    ("text", "answer"),
    [
        ("plain", False),
        ("{{output}} {{host:x}}", False),
        ("{{x}}", True),
        ("${#x}", True),
        ("{% if %}", True),
        ("{{host:a{{i}}}}", True),
    ],
)
def test_text_without_jinja_is_told_from_text_with_it(text: str, answer: bool) -> None:
    assert has_jinja(text) is answer


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("{{ missing }}", "template.undefined"),
        ("{{ lipsum(5) }}", "template.undefined"),
        ("{% for %}", "template.syntax"),
        ("{{ ''.__class__.__mro__ }}", "template.forbidden"),
        ("{{ cycler.__init__.__globals__ }}", "template.forbidden"),
        ("{{ '{0.__class__}'.format(1) }}", "template.forbidden"),
        ("{{ 1 / 0 }}", "template.failed"),
        ("{{ range(10**9)|list }}", "template.failed"),
        ("{{ [].append(1)['x'] }}", "template.undefined"),
        ("{% include 'x' %}", "template.failed"),
        ("{% macro m() %}{{ m() }}{% endmacro %}{{ m() }}", "template.failed"),
    ],
)
def test_templates_that_do_wrong_are_usage_errors_with_their_line(text: str, code: str) -> None:
    with pytest.raises(Rejected) as refusal:
        render(f"one\n{text}\nthree", {})
    assert (refusal.value.code, refusal.value.error_code, refusal.value.line) == (code, "USAGE", 2)


def test_the_last_newline_is_kept() -> None:
    assert render("{{ 1 }}\n", {}) == "1\n"
