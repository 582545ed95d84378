"""What the page that writes is told: the text, probabilities and bits of the commands, and an end in good time."""

import asyncio
import json
from itertools import pairwise

import numpy as np
import pytest
import torch

from reverie.data.prompts import encode_prompt
from reverie.errors import UsageError
from reverie.runs import open_run
from reverie.studio import writing as module
from reverie.studio.app import application
from reverie.studio.desk import Desk
from reverie.studio.writing import NEXT, Writer
from reverie.text.baselines import witten_bell, xz_bits

TEXT = "to be, or not to suffer: that is the question"


@pytest.fixture
def run(runs):
    return open_run(runs / "words")


@pytest.fixture
def pen():
    made = Desk(Writer.of)
    yield made
    made.close()


def heard(client, **wish) -> list[dict]:
    answer = client.post("/api/texts/words/write", json=wish)
    assert answer.status_code == 200, answer.text
    return [json.loads(line) for line in answer.text.splitlines()]


def symbols(said) -> list[list]:
    return [symbol for line in said for symbol in line.get("symbols", [])]


WISHES = {
    "as it is": {"temperature": 1.0},
    "the likeliest": {"temperature": 0},
    "few": {"temperature": 0.8, "top_k": 3, "seed": 4},
    "all cuts": {"temperature": 1.3, "top_p": 0.8, "min_p": 0.05, "seed": 2},
}


@pytest.mark.parametrize("wish", WISHES.values(), ids=WISHES)
@pytest.mark.parametrize("prompt", ["", "to be", "Tö bé\n"])
def test_it_writes_what_the_command_writes(wish, prompt, client, run):
    first, *said, last = heard(client, prompt=prompt, length=60, **wish)
    wanted = run.generate(prompt, length=60, **wish).values
    assert (first["prompt"], first["note"]) == (wanted["prompt"], wanted["note"])
    assert ["".join(text for text, _, _ in symbols(said))] == wanted["texts"]
    pieces = list(run.stream(prompt, length=60, **wish))
    assert symbols(said) == [[piece.text, piece.probability, piece.chance] for piece in pieces]
    assert last == {"end": ""}


@pytest.mark.parametrize("prompt", ["", "to be"])
def test_what_may_come_next_has_the_probabilities_of_what_came(prompt, client, run):
    """At each place of a text the model is asked anew, from the text before it; the hidden beginning is told."""
    wish = {"temperature": 0.7, "top_k": 4}
    begun = client.get("/api/texts/words").json()["beginning"] if not prompt else prompt
    written = symbols(heard(client, prompt=prompt, length=12, seed=3, **wish))
    assert begun
    for place, (text, own, drawn) in enumerate(written):
        before = begun + "".join(each[0] for each in written[:place])
        found = client.post("/api/texts/words/next", json={"text": before, **wish}).json()["next"]
        (here,) = [each for each in found if each["text"] == text]
        assert (here["probability"], here["chance"]) == pytest.approx((own, drawn), rel=1e-6)
        assert sum(each["chance"] > 0 for each in found) == 4
        chances = [each["probability"] for each in found]
        assert chances == sorted(chances, reverse=True)
        assert len(found) <= NEXT


def test_what_the_vocabulary_does_not_know_is_never_offered(client, run):
    tokenizer = run.voice.tokenizer
    found = client.post("/api/texts/words/next", json={"text": "東"}).json()["next"]
    assert tokenizer.unknown is not None
    assert tokenizer.symbols[tokenizer.unknown] not in [each["symbol"] for each in found]
    assert len(found) == min(NEXT, len(tokenizer) - 1)
    ids = torch.from_numpy(encode_prompt(tokenizer, "東")[0].astype(np.int64))
    unknown = run.model(ids[None])[0][0, -1].double().softmax(-1)[tokenizer.unknown]
    assert sum(each["probability"] for each in found) == pytest.approx(1 - float(unknown), abs=1e-6)


def test_a_text_surprises_as_the_command_says(client, run, tmp_path):
    found = client.post("/api/texts/words/surprise", json={"text": TEXT}).json()
    (tmp_path / "text.txt").write_text(TEXT)
    wanted = run.score(tmp_path / "text.txt", out=tmp_path / "page.html")
    assert "".join(text for text, _ in found["cells"]) == TEXT
    assert found["cells"][0][1] is None
    np.testing.assert_allclose([bits for _, bits in found["cells"][1:]], wanted.values["bits"], rtol=1e-12)
    assert {each["name"]: each["value"] for each in found["figures"]} == pytest.approx(
        {figure.name: figure.value for figure in wanted.figures}
    )
    assert not (run.folder / "pages").exists()


def test_beside_it_stand_counting_and_xz_on_the_training_text(client, run):
    found = {
        each["name"]: each for each in client.post("/api/texts/words/beside", json={"text": TEXT}).json()["figures"]
    }
    data, ids = run.written.data, encode_prompt(run.voice.tokenizer, TEXT)[0]
    assert found.keys() == {"unigram_bits_per_character", "5-gram_bits_per_character", "xz_bits_per_character"}
    assert found["xz_bits_per_character"]["value"] == pytest.approx(
        xz_bits(data.parts["train"].read(), TEXT) / len(TEXT)
    )
    counted = witten_bell(data.ids["train"], ids, len(run.voice.tokenizer), 5).sum() / np.log(2) / (len(TEXT) - 1)
    assert found["5-gram_bits_per_character"]["value"] == pytest.approx(counted)


def test_a_text_that_takes_too_long_is_ended(client, monkeypatch):
    monkeypatch.setattr(module, "LONGEST", 0.2)
    monkeypatch.setattr(module, "TURN", 0.0)
    *_, last = heard(client, prompt="to be", length=5000)
    assert "stopped after 0.2 seconds" in last["end"]
    monkeypatch.setattr(module, "LONGEST", -1.0)
    assert "stopped after 0 of" in client.post("/api/texts/words/surprise", json={"text": TEXT}).json()["error"]


def test_nothing_is_computed_for_somebody_who_has_gone(studio, client, monkeypatch):
    """The connection ends after the second line of symbols; the model is not asked for the rest."""
    monkeypatch.setattr(module, "TURN", 0.0)
    body = json.dumps({"length": 3000}).encode()
    headers = {"host": "127.0.0.1:8017", "origin": "http://127.0.0.1:8017", "content-type": "application/json"}
    headers["cookie"] = f"{studio.door.cookie}={studio.door.key}"
    path = "/api/texts/words/write"
    scope = {
        "type": "http", "method": "POST", "path": path, "raw_path": path.encode(), "query_string": b"",
        "headers": [(name.encode(), value.encode()) for name, value in headers.items()],
        "asgi": {"spec_version": "2.3"},
    }  # fmt: skip

    async def visit() -> list[bytes]:
        gone, lines, asked = asyncio.Event(), [], [{"type": "http.request", "body": body}]

        async def receive():
            if asked:
                return asked.pop()
            await gone.wait()
            return {"type": "http.disconnect"}

        async def send(message):
            lines.append(message.get("body", b""))
            if b"".join(lines).count(b"symbols") == 2:
                gone.set()

        await asyncio.wait_for(application(studio)(scope, receive, send), 30)
        return lines

    assert 2 <= b"".join(asyncio.run(visit())).count(b"symbols") < 50


def test_two_people_write_at_once_and_each_gets_a_text_of_their_own(studio, run, monkeypatch):
    """Their symbols are drawn in turns by one thread: neither disturbs the other, nor waits for its end."""
    monkeypatch.setattr(module, "TURN", -1.0)  # a line for each symbol
    wishes, turns = [{"prompt": "to be", "length": 200, "seed": seed} for seed in (1, 2)], []

    async def write(wish):
        speech = await studio.pen.do(run, lambda opened: opened.begin(wish))
        said = []
        async for line in module.lines(studio.pen, speech):
            said.append(json.loads(line))
            turns.append(wish["seed"])
        return said

    async def both():
        return await asyncio.gather(*(write(wish) for wish in wishes))

    for wish, said in zip(wishes, asyncio.run(both()), strict=True):
        (wanted,) = run.generate(**wish).values["texts"]
        assert "".join(text for text, _, _ in symbols(said)) == wanted
        assert len(said) == 200 + 2  # and the prompt and the end
    assert sum(a != b for a, b in pairwise(turns)) > 100


def test_damaged_weights_are_told_in_the_text(client, run, monkeypatch):
    from reverie.errors import Diverged

    def broken(*_):
        raise Diverged("The model gives logits that are no numbers.")

    monkeypatch.setattr("reverie.text.generation.step", broken)
    assert heard(client, length=5)[-1] == {"error": "The model gives logits that are no numbers."}


def test_a_model_of_pictures_has_no_text(client):
    answer = client.post("/api/texts/vae/write", json={})
    assert answer.status_code == 400
    assert "model of images and has no text" in answer.json()["error"]


def test_what_is_asked_wrongly_is_one_message(run):
    with pytest.raises(UsageError, match="length, evil: give numbers"):
        Writer.of(run).begin({"length": "x", "evil": 1})
    with pytest.raises(UsageError, match="--temperature must be 0"):
        Writer.of(run).begin({"temperature": -1})
    with pytest.raises(UsageError, match="5,000 here"):
        Writer.of(run).begin({"length": 6000})
