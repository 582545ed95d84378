"""One page that explores a model in any browser, with no network: everything that it needs is in the file.

The page holds the graphs of ``export.onnx``, ONNX Runtime Web, the modules of ``reverie/web`` set one after the other,
and what ``export.examples`` says of the data, or ``export.speech`` of a vocabulary. Its content-security policy allows
what is in it, and nothing else.
"""

import base64
import gzip
import json
import re
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from hashlib import sha256
from pathlib import Path
from typing import Any

from reverie.errors import UsageError
from reverie.export.examples import examples
from reverie.export.facts import facts_of
from reverie.export.onnx import Exported, export_onnx
from reverie.export.parts import parts_of
from reverie.export.speech import speech
from reverie.files import write
from reverie.report.theme import THEMES, Theme, theme_of
from reverie.runs import Run
from reverie.web import fetch

WEB = Path(fetch.__file__).parent
MODULES = (  # each knows those before it
    "mathematics.js", "pixels.js", "elements.js", "back_end.js", "crew.js", "place.js", "map.js", "map_bar.js",
    "code.js", "gif.js", "path.js", "pen.js", "drawing.js", "explorer.js", "sheet.js", "pairs.js", "vocabulary.js",
    "sampling.js", "speaker.js", "symbols.js", "settings.js", "next.js", "surprise.js", "write.js", "main.js",
)  # fmt: skip
RUNTIME = {"runtime.js": "ort.wasm.bundle.min.mjs", "runtime.wasm": "ort-wasm-simd-threaded.wasm"}
POLICY = "default-src 'none'; script-src '{script}' blob: 'wasm-unsafe-eval'; style-src '{style}'; img-src data: blob:"


def export_html(run: Run, out: Path | None = None) -> tuple[Path, list[Exported]]:
    """Write the page.

    Args:
        run: a finished run of a model with codes, of one that draws pictures from noise, or of one that writes.
        out: the file; by default ``export/NAME.html`` of the run.

    Returns:
        The file, and the graphs in it with their differences from the model.

    Raises:
        UsageError: the model has no graph, or a package is missing.
        DataError: ONNX Runtime Web is not to be had.
    """
    facts = facts_of(run)
    place = out or run.folder / "export" / f"{run.name}.html"
    if place.suffix.lower() != ".html":
        raise UsageError(f"--out {place}: the page is HTML; give a name that ends in .html")
    parts = parts_of(run.name, run.model, run.plan.view, run.spec)
    writes = parts[0].name == "step"
    about, arrays = (speech(run, facts, parts[0]), {}) if writes else examples(run, facts, parts)
    runtime = {name: fetch.content("onnxruntime-web", file) for name, file in RUNTIME.items()}
    with tempfile.TemporaryDirectory() as folder:
        graphs = export_onnx(run, Path(folder) / "onnx")
        files = runtime | {each.file.name: each.file.read_bytes() for each in graphs}
        kept = [replace(each, file=Path(each.file.name)) for each in graphs]
    write(place, page(about, files | arrays))
    return place, kept


def page(about: dict[str, Any], files: dict[str, bytes]) -> str:
    """The page as text.

    Args:
        about: what the explorer knows of the model, as JSON.
        files: whatever bytes it reads, by name.
    """
    style = colours() + (WEB / "style.css").read_text(encoding="utf-8")
    script = joined([(WEB / name).read_text(encoding="utf-8") for name in MODULES])
    policy = POLICY.format(script=_source(script), style=_source(style))
    holes = {
        "policy": policy,
        "title": _escaped(f"{about['name']} · Reverie"),
        "style": style,
        "about": json.dumps(about, ensure_ascii=True, allow_nan=False).replace("<", "\\u003c"),
        "files": "\n".join(_packed(name, data) for name, data in files.items()),
        "script": script,
    }
    template = (WEB / "page.html").read_text(encoding="utf-8")
    return re.sub(r"\{\{ (\w+) \}\}", lambda found: holes[found[1]], template)


def joined(modules: Sequence[str]) -> str:
    r"""Several ES modules as one: what one exports, those after it see by the same name.

    Example:
        >>> joined(['export const a = 1;', 'import { a } from "./a.js";\nconst b = a;'])
        'const a = 1;\n\nconst b = a;'
    """
    bare = [re.sub(r"^import [^;]*;\n", "", text, flags=re.MULTILINE) for text in modules]
    return "\n\n".join(re.sub(r"^export ", "", text.strip(), flags=re.MULTILINE) for text in bare)


def colours() -> str:
    """The house's colours as properties: light, dark by the system's wish, and either by the reader's.

    Classes have the colours that were made for dark paper: pictures are dark, and points lie on them.
    """
    light, dark = (_properties(theme_of(name)) for name in THEMES)
    classes = " ".join(f"--class-{i}: {colour};" for i, colour in enumerate(theme_of("dark").classes))
    return (
        f":root {{ color-scheme: light; {light} {classes} }}\n"
        f"@media (prefers-color-scheme: dark) {{ :root:not([data-theme=light]) {{ color-scheme: dark; {dark} }} }}\n"
        f":root[data-theme=dark] {{ color-scheme: dark; {dark} }}\n"
    )


def _properties(theme: Theme) -> str:
    named = {"paper": theme.paper, "ink": theme.ink, "muted": theme.muted, "rule": theme.rule, "accent": theme.accent}
    return " ".join(f"--{key}: {value};" for key, value in named.items())


def _source(text: str) -> str:
    """How a policy names an embedded script or style."""
    return f"sha256-{base64.b64encode(sha256(text.encode()).digest()).decode()}"


def _packed(name: str, data: bytes) -> str:
    packed = base64.b64encode(gzip.compress(data, 9, mtime=0)).decode()
    return f'<script type="application/gzip" id="{_escaped(name)}">{packed}</script>'


def _escaped(text: str) -> str:
    return text.replace("&", "&amp;").replace("<", "&lt;").replace('"', "&quot;")
