"""A prompt's template fills in data and does nothing else, however it is written."""

from typing import Any

import pytest

from orchestration.workflows.expressions import templates
from orchestration.workflows.expressions.templates import TemplateFailed

SCOPE: dict[str, Any] = {
    "input": {"guest": {"name": "Ana"}, "items": [1, 2], "text": "x" * 100_000, "none": None},
    "steps": {"a.b": {"n": 1}},
    "context": {"mode": "draft"},
    "event": {},
}


@pytest.mark.parametrize(
    "text,made",
    [
        ("{{ input.guest.name }} likes {{ steps['a.b'].n }}", "Ana likes 1"),
        ("{{ input.items }} {{ input.none }}", "[1, 2] "),
        ("{{ input.guest }}", '{"name": "Ana"}'),
        ("{% for i in input['items'] %}{{ loop.index }}:{{ i }} {% endfor %}", "1:1 2:2 "),
        ("{% if input.items | length > 1 %}many{% else %}few{% endif %}", "many"),
        ("{{ input.nobody.name | default('somebody') }}", "somebody"),
        ("{{ 'a,b'.split(',') | map('upper') | join('-') }}", "A-B"),
        ("{{ input.text[:3] ~ '!' }}", "xxx!"),
        ("{{ 2 * 3 + 1 }}", "7"),
        ("plain $input.guest.name", "plain $input.guest.name"),
    ],
)
def test_a_template_is_filled_in(text: str, made: str) -> None:
    assert templates.render(text, SCOPE) == made


@pytest.mark.parametrize(
    "text",
    [
        "{{ ''.__class__.__mro__ }}",
        "{{ input.__class__ }}",
        "{{ input.items.__init__.__globals__ }}",
        "{{ cycler.__init__ }}",
        "{{ self._TemplateReference__context }}",
        "{{ 'x'.format(1) }}",
        "{{ input['guest']['__class__'] }}",
        "{{ input | attr('__class__') }}",
        "{{ (input.items | map(attribute='__class__') | list)[0] }}",
    ],
)
def test_a_template_cannot_reach_the_servers_objects(text: str) -> None:
    with pytest.raises(TemplateFailed):
        templates.render(text, SCOPE)


@pytest.mark.parametrize(
    "text",
    [
        "{{ 'a' * 50000000 }}",
        "{{ 10 ** 100 }}",
        "{% for i in range(100000000) %}x{% endfor %}",
        "{% for a in range(999) %}{% for b in range(999) %}{% for c in range(9) %}{% endfor %}{% endfor %}{% endfor %}",
        "{{ input.text ~ input.text ~ input.text ~ input.text ~ input.text }}",
        "{{ [input.text, input.text, input.text, input.text, input.text] | join }}",
        "{{ input.text | replace('x', input.text) }}",
        "{{ [[input.text] , [input.text]] }}" * 30,
        "{{ 1.5 | round(1000000000) * 0 ~ 'x' | truncate(10000000000) }}" + "{{ input.text }}" * 5,
        "{% set a = 'x' %}",
        "{% macro m() %}{% endmacro %}",
        "{% include 'secrets' %}",
        "{% for x in input.items recursive %}{{ loop(input.items) }}{% endfor %}",
        "{{ " + "(" * 2000 + "1" + ")" * 2000 + " }}",
    ],
)
def test_a_template_cannot_take_much_time_or_memory(text: str) -> None:
    with pytest.raises(TemplateFailed):
        templates.render(text, SCOPE)


def test_what_is_missing_is_named() -> None:
    with pytest.raises(TemplateFailed, match="nobody.*default"):
        templates.render("{{ input.nobody }}", SCOPE)


@pytest.mark.parametrize("text", ["{{ x", "{% if %}", "{% for %}", "{% endfor %}", "{{ a b }}", "{% set x = 1 %}"])
def test_a_syntax_fault_is_told_before_anything_runs(text: str) -> None:
    assert templates.check(text)


def test_a_plain_prompt_takes_references_and_data_is_never_a_template() -> None:
    prompt, named = templates.as_template("{$input.evil} of $steps.a.b.n, $input.missing.", {"a.b"})
    assert [found.text for found in named] == ["$input.evil", "$steps.a.b.n", "$input.missing"]
    made = templates.render(prompt, SCOPE | {"input": {"evil": "{{ context.mode }} $context.mode"}})
    assert made == "{{{ context.mode }} $context.mode} of 1, ."


@pytest.mark.parametrize(
    "text,made",
    [
        ("{{ input.último }}-$input.último.", "x-x."),
        ("$input.from-$input.to {% if input.to %}of $input.to.csv{% endif %}", "1-9 of 9.csv"),
        ("{$input.to} {{ '{' }}$input.to{{ '}' }}", "{9} {9}"),
        ("{{ '$input.to' }} {# $input.to #}{% raw %}{{ $input.to }}{% endraw %}", "$input.to {{ $input.to }}"),
        ("{{ input['a-b'] }} $input['a-b'] $$input.to", "3 3 $input.to"),
        ("{{ input.half }}{{ '\\ud83d' }}{{ '\\x00' }}", "h\ufffd\ufffd"),
    ],
)
def test_references_are_filled_in_beside_templates(text: str, made: str) -> None:
    scope = SCOPE | {"input": {"último": "x", "from": 1, "to": 9, "a-b": 3, "half": "h"}}
    assert templates.render(templates.as_template(text, ())[0], scope) == made
