"""Graphs against the model itself, computed apart from the exporter; and what is left behind where one fails."""

import json

import numpy as np
import pytest
import torch
from torch import nn

onnx = pytest.importorskip("onnx", reason="the extra [export] is not installed")
import onnxruntime  # noqa: E402

from reverie import recipes  # noqa: E402
from reverie.data import ImageSpec  # noqa: E402
from reverie.data.views import unit  # noqa: E402
from reverie.errors import ReverieError  # noqa: E402
from reverie.export.onnx import OPSET, TOLERANCE, Part, _in_fresh_process, convert  # noqa: E402
from reverie.export.parts import Given, Input, parts_of  # noqa: E402
from reverie.runs import open_run  # noqa: E402
from scenes import reverie  # noqa: E402

SPEC = ImageSpec("shapes", (1, 16, 16), ("circle", "square", "star"))
COLOUR = ImageSpec("shapes", (3, 16, 16), ())
RECIPES = {
    "ae-mlp": SPEC, "ae-conv": SPEC, "vae-mlp": SPEC, "vae-conv": SPEC, "vae-conditional": SPEC,
    "vae-vamp": SPEC, "vae-iaf-mnist": ImageSpec("mnist", (1, 28, 28), ()), "vae-cifar": COLOUR,
    "ladder-mnist": ImageSpec("mnist", (1, 28, 28), ()),
}  # fmt: skip


def planned(name: str):
    torch.manual_seed(0)
    recipe = recipes.find(name)
    return recipe.run(RECIPES[name], **recipe.TINY)


def run(path, **given):
    """ONNX Runtime on a file, by the names that stand in it."""
    session = onnxruntime.InferenceSession(path.read_bytes())
    names = [each.name for each in session.get_outputs()]
    return dict(zip(names, session.run(None, {k: np.asarray(v) for k, v in given.items()}), strict=True))


@pytest.mark.parametrize("name", RECIPES)
def test_encoder_and_decoder_are_the_model(name, tmp_path):
    plan = planned(name)
    model, spec = plan.model.eval(), RECIPES[name]
    encoder, decoder = parts_of(name, model, plan.view, spec)
    gaps = [convert(part, {"name": name}, tmp_path / f"{part.name}.onnx") for part in (encoder, decoder)]
    assert max(gaps) <= TOLERANCE
    source = torch.Generator().manual_seed(5)
    pixels = torch.randint(0, 256, (11, *spec.shape), generator=source, dtype=torch.uint8)
    told = {"label": torch.arange(11) % 3} if name == "vae-conditional" else {}
    with torch.no_grad():
        posterior = model.encode(plan.view.still(pixels), *told.values())
        mean = posterior.mean
        image = model.decode(mean, *told.values()).mean
    noise = {"noise": torch.randn(mean.shape, generator=source)} if "noise" in encoder.inputs else {}
    found = run(tmp_path / "encoder.onnx", image=pixels.float() / 255, **told, **noise)
    np.testing.assert_allclose(found["mean"], mean, atol=2e-5)
    if noise:
        with torch.no_grad():
            drawn = posterior.draw(Given({"z": noise["noise"]}))[0].squeeze(1)
        np.testing.assert_allclose(found["draw"], drawn, atol=2e-5)
    decoded = run(tmp_path / "decoder.onnx", z=mean, **told)["image"]
    assert decoded.shape == (11, *spec.shape)
    wanted = image if plan.view.name in ("unit", "bits") else (image + 1) / 2
    np.testing.assert_allclose(decoded, wanted.clamp(0, 1), atol=2e-5)
    print(f"{name}: {max(gaps):.1e}")


class Faces(nn.Module):
    """A generator that asks for two draws, one of them uniform."""

    def __init__(self) -> None:
        super().__init__()
        self.net = nn.Linear(5, 16)

    def sample(self, n, noise, *, label=None, temperature=1.0):
        z = torch.cat([temperature * noise.normal("z", (n, 3)), noise.uniform("u", (n, 2))], 1)
        return self.net(z).sigmoid().view(n, 1, 4, 4)


def test_a_generator_takes_its_noise(tmp_path):
    model, file = Faces().eval(), tmp_path / "generator.onnx"
    (part,) = parts_of("faces", model, unit(), ImageSpec("faces", (1, 4, 4), ()))
    assert part.inputs == {"z": Input("normal", (3,)), "u": Input("uniform", (2,))}
    convert(part, {}, file)
    z, u = torch.randn(9, 3), torch.rand(9, 2)
    with torch.no_grad():
        wanted = model.net(torch.cat([z, u], 1)).sigmoid().view(9, 1, 4, 4)
    np.testing.assert_allclose(run(file, z=z, u=u)["image"], wanted, atol=1e-6)


class Letters(nn.Module):
    """Two LSTM layers that predict the next of 11 symbols; the state is a tuple of two tensors."""

    def __init__(self) -> None:
        super().__init__()
        self.embed, self.cell, self.head = nn.Embedding(11, 6), nn.LSTM(6, 8, 2, batch_first=True), nn.Linear(8, 11)

    def step(self, token, state):
        out, state = self.cell(self.embed(token)[:, None], state)
        return self.head(out[:, 0]), state


def test_a_step_carries_its_state_as_the_whole_sequence_does(tmp_path):
    model, file = Letters().eval(), tmp_path / "step.onnx"
    (part,) = parts_of("letters", model, unit(), ImageSpec("text", (), ()))
    assert list(part.inputs) == ["token", "state_0", "state_1"]
    assert part.inputs["state_0"] == Input("normal", (2, 8), 1)
    convert(part, {}, file)
    tokens = torch.randint(11, (4, 30))
    with torch.no_grad():
        wanted = model.head(model.cell(model.embed(tokens))[0])
    state = {f"state_{i}": np.zeros((2, 4, 8), np.float32) for i in range(2)}
    for t in range(30):
        found = run(file, token=tokens[:, t], **state)
        np.testing.assert_allclose(found["logits"], wanted[:, t], atol=1e-5)
        state = {f"state_{i}": found[f"next_{i}"] for i in range(2)}


def test_a_graph_says_what_it_is_and_leaves_its_batch_free(tmp_path):
    plan = planned("vae-conv")
    part = parts_of("digits", plan.model.eval(), plan.view, SPEC)[1]
    convert(part, {"name": "digits", "license": ""}, tmp_path / "decoder.onnx")
    graph = onnx.load(tmp_path / "decoder.onnx")
    assert {p.key: p.value for p in graph.metadata_props} == {"name": "digits", "license": ""}
    assert [o.version for o in graph.opset_import if o.domain == ""] == [OPSET]
    (z,) = graph.graph.input
    batch, latent = z.type.tensor_type.shape.dim
    assert (z.name, batch.dim_param != "", latent.dim_value) == ("z", True, 2)


class Moody(nn.Module):
    """Not the same twice: what a graph holds of it is not what it gives."""

    def __init__(self) -> None:
        super().__init__()
        self.calls = 0

    def forward(self, x):
        self.calls += 1
        return (x * self.calls,)


class Wild(nn.Module):
    def forward(self, x):
        return (torch.log(-x.abs()),)


@pytest.mark.parametrize("module", [Moody(), Wild()], ids=["another answer", "not a number"])
def test_a_graph_that_is_not_the_model_is_not_kept(module, tmp_path):
    part = Part("decoder", module, {"x": Input("normal", (3,))}, ("y",))
    with pytest.raises(ReverieError, match="it differs from the model by"):
        convert(part, {}, tmp_path / "decoder.onnx")
    assert list(tmp_path.iterdir()) == []


class Frozen(nn.Module):
    def forward(self, x):
        return (x + torch.zeros(len(x), 1),)


def test_a_batch_that_is_not_free_is_refused(tmp_path):
    part = Part("decoder", Frozen(), {"x": Input("normal", (3,))}, ("y",))
    with pytest.raises(ReverieError, match="the exporter froze the batch of x"):
        convert(part, {}, tmp_path / "decoder.onnx")
    assert list(tmp_path.iterdir()) == []


class Whole(nn.Module):
    def forward(self, x):
        return (2 * x,)


def test_it_is_compared_at_sizes_that_it_was_not_traced_at(tmp_path):
    sizes = []

    class Noted(Part):
        def examples(self, n):
            sizes.append(n)
            return super().examples(n)

    convert(Noted("flat", Whole(), {"x": Input("normal", (3,))}, ("y",)), {}, tmp_path / "flat.onnx")
    assert sizes == [2, 1, 7, 64]


def test_the_command_answers_with_files_and_differences(workshop, capfd):
    assert reverie("export", "vae", "--to", "onnx", "--json") == 0
    answer = json.loads(capfd.readouterr().out)
    assert [file.rsplit("/", 1)[1] for file in answer["files"]] == ["encoder.onnx", "decoder.onnx"]
    assert set(answer["difference"]) == {"encoder", "decoder"}
    assert max(answer["difference"].values()) <= TOLERANCE
    graph = onnx.load(answer["files"][1])
    facts = {p.key: p.value for p in graph.metadata_props}
    assert facts["part"] == "decoder"
    assert len(facts["sha256"]) == 64
    assert facts["license"] == ""


def test_a_failing_export_leaves_nothing_and_keeps_what_was_there(workshop, capfd, monkeypatch):
    place = workshop / "runs" / "vae" / "export"
    (place / "onnx").mkdir(parents=True)
    (place / "onnx" / "mine").write_text("kept")
    weights = workshop / "runs" / "vae" / "model" / "config.json"
    assert weights.exists()
    monkeypatch.setattr("reverie.export.onnx._in_fresh_process", lambda run, name, file: _half(name, file))
    assert reverie("export", "vae", "--to", "onnx") == 1
    assert "decoder" in capfd.readouterr().err
    assert [path.name for path in place.iterdir()] == ["onnx"]
    assert [path.name for path in (place / "onnx").iterdir()] == ["mine"]


def _half(name, file):
    if name == "decoder":
        raise ReverieError("The decoder of vae was not exported: it was not to be.")
    file.write_bytes(b"half")
    return 0.0


def test_what_fails_in_the_fresh_process_is_one_message(workshop, tmp_path):
    with pytest.raises(ReverieError, match="The tail of vae was not exported: ValueError") as found:
        _in_fresh_process(open_run("vae"), "tail", tmp_path / "tail.onnx")
    assert "\n" not in str(found.value)
    assert not (tmp_path / "tail.onnx").exists()
