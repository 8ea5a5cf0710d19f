"""Terraform's operations against the real program, with the one resource that it has built in."""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from support.localhost import LocalHost, acting
from wand_proto.errors import Conflict, Invalid, NotFound, WandError
from wand_server.integrations.devops.terraform import Terraform

SECRET = "hush-hush-of-a-test"
MAIN = f"""
variable "secret" {{
  default   = "{SECRET}"
  sensitive = true
}}
variable "size" {{ default = "small" }}
resource "terraform_data" "one" {{ input = {{ size = var.size, secret = var.secret }} }}
resource "terraform_data" "two" {{ input = "two" }}
output "size" {{ value = var.size }}
output "secret" {{
  value     = var.secret
  sensitive = true
}}
"""

pytestmark = pytest.mark.skipif(shutil.which("terraform") is None, reason="there is no terraform")


class Work:
    """A folder with a configuration, and the service that acts on it."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.service = folder, Terraform(Terraform.Config())
        (folder / "infra").mkdir()
        (folder / "infra" / "main.tf").write_text(MAIN)
        off = {"CHECKPOINT_DISABLE": "1", "HOME": str(folder), "TF_CLI_CONFIG_FILE": "/dev/null"}
        self.host = LocalHost(workspace=folder, environment=off)

    async def do(self, operation: str, **given: Any) -> Any:
        return await acting(self.host, self.service, operation, {"directory": "infra", **given})


@pytest.fixture
async def work(tmp_path: Path) -> Work:
    made = Work(tmp_path)
    assert "initialized" in (await made.do("init_workspace"))["said"]
    return made


async def test_a_plan_is_made_applied_looked_at_and_taken_down(work: Work) -> None:
    planned = await work.do("plan_changes", variables={"size": "large"})
    assert {one["address"]: one["action"] for one in planned["changes"]} == {
        "terraform_data.one": "create",
        "terraform_data.two": "create",
    }
    assert planned["counts"]["add"] == 2
    coming = await work.do("show_state", plan_file=planned["plan_file"], addresses=["terraform_data.two"])
    assert [one["address"] for one in coming["resources"]] == ["terraform_data.two"]
    applied = await work.do("apply_plan")
    assert (len(applied["done"]), applied["counts"]["add"]) == (2, 2)
    assert applied["outputs"] == {"secret": "[sensitive]", "size": "large"}
    assert await work.do("get_outputs") == applied["outputs"]
    assert await work.do("list_state") == ["terraform_data.one", "terraform_data.two"]
    state = await work.do("show_state")
    assert state["resources"][0]["values"]["input"] == {"secret": "[sensitive]", "size": "large"}
    assert SECRET not in str(state)  # of `output`, which terraform does not mark
    gone = await work.do("destroy_resources", targets=["terraform_data.two"])
    assert [(one["address"], one["action"]) for one in gone["done"]] == [("terraform_data.two", "delete")]
    assert await work.do("list_state", addresses=["terraform_data.one"]) == ["terraform_data.one"]


async def test_what_is_wrong_is_told_with_its_place(work: Work) -> None:
    assert (await work.do("validate_config"))["valid"] is True
    (work.folder / "infra" / "wrong.tf").write_text('output "x" { value = var.missing }\n')
    found = await work.do("validate_config")
    assert (found["valid"], found["diagnostics"][0]["file"], found["diagnostics"][0]["line"]) == (
        False,
        "wrong.tf",
        1,
    )
    with pytest.raises(Conflict, match="undeclared input variable"):
        await work.do("plan_changes")


async def test_files_are_formatted(work: Work) -> None:
    odd = work.folder / "infra" / "odd.tf"
    odd.write_text('locals {\na="b"\n}\n')
    assert await work.do("format_config", check_only=True) == {"files": ["odd.tf"]}
    assert 'a="b"' in odd.read_text()
    assert await work.do("format_config") == {"files": ["odd.tf"]}
    assert 'a = "b"' in odd.read_text()


async def test_workspaces_providers_and_imports(work: Work) -> None:
    assert await work.do("list_workspaces") == {"current": "default", "names": ["default"]}
    made = await work.do("select_workspace", name="blue", create=True)
    assert (made["current"], sorted(made["names"])) == ("blue", ["blue", "default"])
    await work.do("import_resource", address="terraform_data.two", id="abc")
    assert await work.do("list_state") == ["terraform_data.two"]
    assert (await work.do("list_providers"))["provider_selections"] == {}


@pytest.mark.parametrize(
    ("name", "given", "kind"),
    [
        ("apply_plan", {"plan_file": "-auto-approve"}, Invalid),
        ("select_workspace", {"name": "-help"}, Invalid),
        ("import_resource", {"address": "terraform_data.two", "id": "-x"}, Invalid),
        ("select_workspace", {"name": "nowhere"}, NotFound),
        ("apply_plan", {"plan_file": "nothing.tfplan"}, Conflict),
        ("list_state", {}, NotFound),
    ],
)
async def test_what_is_refused_is_told(
    work: Work, name: str, given: Mapping[str, Any], kind: type[WandError]
) -> None:
    with pytest.raises(kind):
        await work.do(name, **given)
