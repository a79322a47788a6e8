"""A mistyped model is said before anything large is opened."""

import subprocess
import sys

import pytest

from modalprism.capture.model_checks import check_model, check_model_folder
from modalprism.errors import InputError


@pytest.fixture
def models(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "models" / "llava").mkdir(parents=True)
    (tmp_path / "models" / "llava" / "config.json").write_text("{}")
    return tmp_path / "models"


def test_a_folder_with_a_model_is_found(models):
    assert check_model_folder(models / "llava")
    assert check_model_folder("models/llava")
    check_model("./models/llava")


@pytest.mark.parametrize(
    ("model", "why"),
    [
        ("./models/lava", r"there is no such folder; did you mean 'models/llava'\?"),
        ("models/lava", r"there is no such folder; did you mean 'models/llava'\?"),
        ("/no/such/folder", "there is no such folder"),
        ("~/llava", "there is no such folder"),
        ("a/b/c", "there is no such folder"),
        ("models\\llava", "there is no such folder"),
        ("a model", "there is no such folder"),
        ("models", r"the folder holds no config\.json; its folder 'llava' does"),
        ("models/llava/config.json", r"it is a file; name the folder that holds its config\.json"),
    ],
)
@pytest.mark.usefixtures("models")
def test_a_path_to_no_model_is_refused(model, why):
    with pytest.raises(InputError, match=rf"^the model .* cannot be loaded: {why}"):
        check_model(model)


@pytest.mark.usefixtures("models")
def test_an_id_of_the_hub_may_be_one():
    assert not check_model_folder("openai/clip-vit-base-patch32")
    assert not check_model_folder("gpt2")


@pytest.mark.usefixtures("models")
def test_an_id_that_the_hub_does_not_show_is_refused(monkeypatch):
    import huggingface_hub

    def offline(*_arguments, **_options):
        raise ConnectionError("Name or service not known")

    monkeypatch.setattr(huggingface_hub, "model_info", offline)
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: None)
    words = "it is no folder here, and the hub cannot be read: Name or service not known; check the"
    with pytest.raises(InputError, match=f"the model 'owner/lava' cannot be loaded: {words}"):
        check_model("owner/lava")
    monkeypatch.setattr(huggingface_hub, "try_to_load_from_cache", lambda *_, **__: "config.json")
    check_model("owner/lava")


def test_torch_is_not_needed_to_say_so():
    code = (
        "import sys\n"
        "from modalprism.capture.model_checks import check_model\n"
        "try:\n    check_model('./nothing')\n"
        "except ValueError:\n    sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0  # noqa: S603
