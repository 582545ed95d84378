"""Plots: the colours on the picture are those of the classes, the lines lie where the numbers say."""

import numpy as np
import pytest
import torch
from PIL import ImageColor

from reverie.errors import UsageError
from reverie.report import plots
from reverie.report.theme import theme_of


def near(picture, colour, tolerance=40):
    """Rows and columns of the pixels that have about this colour."""
    away = np.abs(np.asarray(picture).astype(int) - np.array(ImageColor.getrgb(colour))).sum(-1)
    return np.argwhere(away <= tolerance)


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_scatter_puts_each_class_in_its_colour_where_it_lies(theme):
    ring = 0.15 * np.array([[np.cos(a), np.sin(a)] for a in np.linspace(0, 6, 40)])
    corners = np.concatenate([ring, ring + [1.0, 0.0], ring + [0.0, 1.0]])
    picture = plots.scatter(corners, np.repeat([0, 1, 2], 40), ["a", "b", "c"], title="corners", theme=theme)
    assert picture.getpixel((0, 0)) == ImageColor.getrgb(theme_of(theme).paper)
    left_of_legend = np.asarray(picture)[:, : int(0.83 * picture.width)]
    origin, right, up = (near(left_of_legend, c, 52).mean(0) for c in theme_of(theme).classes[:3])
    assert right[1] > origin[1] + 100
    assert abs(right[0] - origin[0]) < 4
    assert up[0] < origin[0] - 100
    assert right[1] - origin[1] == pytest.approx(origin[0] - up[0], rel=0.03)  # equal scales


def test_scatter_of_space_takes_torch_and_many_classes():
    codes = torch.randn(60, 3, generator=torch.Generator().manual_seed(0))
    picture = plots.scatter(codes, torch.arange(60) % 15, title="space")
    assert len(near(picture, theme_of("light").classes[0])) > 10


def test_scatter_is_the_same_every_time():
    codes = np.random.default_rng(0).normal(size=(50, 2))
    assert plots.scatter(codes, title="x").tobytes() == plots.scatter(codes, title="x").tobytes()


def test_rows_become_panels():
    rows = [
        {"step": 1, "seconds": 1.0, "epoch": 0.1, "learning_rate": 0.1, "loss": 5.0, "note": "x"},
        {"step": 2, "seconds": 2.0, "epoch": 0.2, "learning_rate": 0.1, "loss": float("nan")},
        {"step": 2, "epoch": 0.2, "test": True, "test_loss": 4.0, "kl": 7.0},
        {"loss": 1.0},
    ]
    panels = plots._panels(rows)
    assert list(panels) == plots.quantities(rows) == ["loss", "kl", "learning rate"]
    assert panels["loss"]["training"].tolist() == [[1.0], [5.0]]
    assert panels["loss"]["held-out"].tolist() == [[2.0], [4.0]]
    assert list(panels["kl"]) == ["held-out"]


def test_a_game_shows_what_was_watched_before_what_was_played():
    played = {"step": 1, **{f"{player}/{name}": 1.0 for player in ("critic", "generator") for name in ("loss", "fake")}}
    watched = {"step": 2, "test": True, "test_fd": 3.0, "test_recall": 0.5}
    rows = [played | {f"critic/{n}": 0.0 for n in range(9)}, watched]
    assert plots.quantities(rows)[:4] == ["critic/loss", "generator/loss", "fd", "recall"]
    assert len(plots.quantities(rows)) == 8


def test_curves_cut_the_fall_at_the_start_and_say_so():
    steps = np.arange(100.0)
    low, high = plots._limits([np.array([steps, np.where(steps < 5, 1e6, 1.0 + steps / 100)])])
    assert 0.9 < low < 1.1
    assert high < 2.2
    assert plots._limits([np.array([[0.0, 1.0], [9.0, 1.0]])])[1] > 9


def test_held_out_is_thicker_than_training():
    rows = [{"step": s, "loss": 1.0, "test_loss": 2.0} for s in range(30)]
    picture = np.asarray(plots.curves(rows, title="x"))[:, 200:600]
    theme = theme_of("light")
    thick = np.unique(near(picture, theme.accent)[:, 0])
    rows, counts = np.unique(near(picture, theme.muted, 150)[:, 0], return_counts=True)
    thin = rows[(counts > 300) & (np.abs(rows - thick.mean()) > 5)]
    assert len(thick) >= 3
    assert 1 <= len(thin) <= 2
    assert thick.max() < thin.min()  # 2 lies above 1


def test_labels_at_the_ends_keep_apart():
    assert plots._apart({"a": 1.0, "b": 1.01, "c": 9.0}, 0.5) == {"a": 1.0, "b": 1.5, "c": 9.0}


def test_plots_leave_no_global_state():
    import matplotlib

    before = dict(matplotlib.rcParams)
    plots.curves([{"step": 0, "loss": 1.0}], title="x", theme="dark")
    assert dict(matplotlib.rcParams) == before


MISTAKES = [
    (lambda: plots.scatter(np.zeros((3, 4)), title=""), r"\(N, 2\) or \(N, 3\); got \(3, 4\)"),
    (lambda: plots.scatter(np.zeros((3, 2)), [0, 1], title=""), r"3 codes need as many labels; got \(2,\)"),
    (lambda: plots.scatter(np.zeros((2, 2)), [0, -1], title=""), r"from 0; got -1"),
    (lambda: plots.curves([{"epoch": 1}], title=""), r'need rows with a "step"'),
]


@pytest.mark.parametrize(("call", "message"), MISTAKES)
def test_mistakes_are_named(call, message):
    with pytest.raises(UsageError, match=message):
        call()


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_panels_draw_lines_dots_and_bars_in_colours_of_their_own(theme):
    """A flat line is as wide as its panel; a line without a name has the accent; bars of two laws have two colours."""
    flat = np.array([[0.0, 1.0], [1.0, 1.0]])
    bars = {"p": np.array([1.0, 2.0]), "q": np.array([2.0, 1.0])}
    parts = [plots.Panel("one", "x", {"a": flat, " b": flat + 1}, {"c": flat[:1]}), plots.Panel("two", "x", bars=bars)]
    drawn = np.asarray(plots.panels(parts, title="t", caption="c", theme=theme))
    colours = theme_of(theme)
    left, right = drawn[:, : drawn.shape[1] // 2], drawn[:, drawn.shape[1] // 2 :]

    assert len(near(left, colours.classes[0], 10)) > 300
    assert len(near(left, colours.accent, 60)) > 100
    assert len(near(left, colours.classes[9], 10)) > 10
    assert len(near(right, colours.classes[0], 10)) > 5000
    assert len(near(right, colours.classes[4], 10)) > 5000
