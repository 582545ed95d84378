"""Laws of points against their moments and densities, and as pure functions of noise."""

import math

import pytest
import torch
from PIL import Image
from scipy import stats

from reverie.data.points import (
    EPOCH,
    LAWS,
    Drawing,
    Gaussians,
    Plane,
    PointData,
    PointSpec,
    Spiral,
    grid,
    load_points,
    ring,
)
from reverie.engine.noise import StepNoise
from reverie.errors import DataError, UsageError

N = 40_000
NOISE = StepNoise((0,), 0, N)


@pytest.mark.parametrize(("law", "count", "apart"), [(ring(), 8, 2 * math.sin(math.pi / 8)), (grid(), 25, 0.5)])
def test_gaussians_lie_where_they_should_in_equal_parts(law, count, apart):
    assert len(law.centres) == count
    assert float(torch.pdist(law.centres).min()) == pytest.approx(apart)
    distance, which = torch.cdist(law.draw(NOISE, N), law.centres).min(1)
    assert stats.chisquare(torch.bincount(which, minlength=count).numpy()).pvalue > 1e-3
    # |x - c|^2 / sigma^2 is chi-squared with two degrees of freedom
    assert stats.kstest((distance / law.sigma).square().numpy(), stats.chi2(2).cdf).pvalue > 1e-3


def test_the_squared_radius_on_the_spiral_is_uniform_and_its_angle_follows():
    x = Spiral(windings=2.0, sigma=0.0).draw(NOISE, N)
    t = x.norm(dim=1)
    assert stats.kstest(t.square().numpy(), stats.uniform.cdf).pvalue > 1e-3
    turned = torch.stack([(4 * math.pi * t).cos(), (4 * math.pi * t).sin()], 1)
    torch.testing.assert_close(x, t[:, None] * turned, atol=1e-5, rtol=0)
    around = Spiral(windings=2.0, sigma=0.1).draw(NOISE, N) - x
    assert float(around.std()) == pytest.approx(0.1, rel=0.02)


def test_a_drawing_is_a_density_in_proportion_to_its_dark():
    dark = torch.tensor([[1.0, 0.0, 3.0], [2.0, 4.0, 0.0]])
    x = Drawing(dark).draw(NOISE, N)
    column, row = ((x[:, 0] * 3 + 3) / 2), ((2 - x[:, 1] * 3) / 2)  # the longer side, 3 pixels, from -1 to 1
    counts = torch.bincount(row.long() * 3 + column.long(), minlength=6)
    assert counts[1] == counts[5] == 0
    kept = dark.flatten() > 0
    expected = (dark.flatten() / dark.sum() * N)[kept].numpy()
    assert stats.chisquare(counts[kept].numpy(), expected).pvalue > 1e-3
    for part in (column, row):
        assert stats.kstest((part % 1).numpy(), stats.uniform.cdf).pvalue > 1e-3


@pytest.mark.parametrize("name", LAWS)
def test_points_are_a_pure_function_of_noise_and_row(name):
    data = load_points(name)
    stock = Plane().stock(data, "cpu")
    whole = stock.take(0, 64, range(64), 0, StepNoise((3, "critic", 5, 0), 0, 64)).x
    part = stock.take(0, 64, range(16, 40), 0, StepNoise((3, "critic", 5, 0), 16, 64)).x
    other = stock.take(0, 64, range(64), 0, StepNoise((3, "critic", 6, 0), 0, 64)).x
    assert whole.dtype == torch.float32
    assert torch.equal(whole[16:40], part)
    assert not torch.isclose(whole, other).all(1).any()
    assert stock.turns(256) * 256 == EPOCH
    assert float(whole.abs().max()) < 1.3


def test_a_record_is_enough_for_the_spec_and_a_fingerprint_tells_laws_apart():
    found = [load_points(name) for name in LAWS]
    assert PointSpec.of_record(found[0].record()) == found[0].spec == PointSpec("ring")
    assert load_points("ring").fingerprint() == found[0].fingerprint() == found[0].record()["fingerprint"]
    others = [PointData("ring", law) for law in (ring(sigma=0.04), ring(count=7), Gaussians(-grid().centres, 0.05))]
    assert len({each.fingerprint() for each in [*found, *others]}) == 6
    assert [each.modes is not None for each in found] == [True, True, False]


def test_a_picture_is_read_with_its_top_above(tmp_path):
    image = Image.new("RGB", (4, 2), "white")
    image.putpixel((0, 0), (0, 0, 0))
    image.save(tmp_path / "corner.png")
    data = load_points(tmp_path / "corner.png")
    x = data.law.draw(StepNoise((0,), 0, 100), 100)
    assert data.name == "corner"
    assert (x[:, 0] >= -1).all()
    assert (x[:, 0] <= -0.5).all()
    assert (x[:, 1] >= 0).all()
    assert (x[:, 1] <= 0.5).all()


def test_what_is_no_law_and_no_picture_is_refused(tmp_path):
    Image.new("L", (3, 3), 255).save(tmp_path / "white.png")
    (tmp_path / "words.png").write_text("words")
    with pytest.raises(DataError, match='Points are ring, grid, spiral.*no "rign".*ring'):
        load_points("rign")
    with pytest.raises(DataError, match="all white"):
        load_points(tmp_path / "white.png")
    with pytest.raises(DataError, match=r"words.png .*Give a picture, or one of ring"):
        load_points(tmp_path / "words.png")
    with pytest.raises(UsageError, match="--batch 30000"):
        Plane().check(load_points("ring"), 30_000)
