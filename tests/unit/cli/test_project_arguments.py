from __future__ import annotations

from pathlib import Path

import pytest

from steelyard.cli.down import down
from steelyard.cli.preview import preview
from steelyard.cli.up import up
from steelyard.cluster.project_stack import passphrase_from, stack_named
from steelyard.deploy.project import load_project
from steelyard.errors import UsageError


def test_a_call_names_a_program_or_a_cluster(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="--program and --file"):
        up(program=tmp_path, file=tmp_path / "cluster.yaml")
    with pytest.raises(UsageError, match="--program and --cluster"):
        down(program=tmp_path, cluster="demo")


def test_a_stack_is_one_of_a_project() -> None:
    with pytest.raises(UsageError, match="--stack names a stack of a project"):
        preview(stack="dev")


def test_the_one_stack_with_a_file_is_meant_and_of_several_one_must_be_named(tmp_path: Path) -> None:
    (tmp_path / "Pulumi.yaml").write_text("name: shop\nruntime: python\n")
    (tmp_path / "__main__.py").touch()
    project = load_project(tmp_path)
    assert stack_named(project, None) == "local"
    (tmp_path / "Pulumi.dev.yaml").touch()
    assert stack_named(project, None) == "dev"
    (tmp_path / "Pulumi.prod.yaml").touch()
    assert stack_named(project, "prod") == "prod"
    with pytest.raises(UsageError, match="2 stacks: dev, prod"):
        stack_named(project, None)


def test_the_passphrase_is_looked_up_where_pulumi_looks(tmp_path: Path) -> None:
    file = tmp_path / "passphrase"
    file.write_text("from the file\n")
    names = {"name": "PHRASE", "file_name": "PHRASE_FILE"}
    assert passphrase_from({}, **names)() is None
    assert passphrase_from({"PHRASE_FILE": str(file)}, **names)() == "from the file"
    assert passphrase_from({"PHRASE": "", "PHRASE_FILE": str(file)}, **names)() == ""
    with pytest.raises(UsageError, match="nowhere"):
        passphrase_from({"PHRASE_FILE": str(tmp_path / "nowhere")}, **names)()
