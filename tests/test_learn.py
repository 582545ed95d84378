"""The page of lessons says the numbers that were computed, in both themes, and needs nothing else."""

import re

from reverie import lessons
from reverie.learn import learn


def test_the_page_holds_its_pictures_and_its_numbers(tmp_path):
    page = learn(tmp_path / "deep" / "learn.html").read_text(encoding="utf-8")
    assert page.count("<h2>") == 4
    assert len(re.findall(r'src(?:set)?="data:image/png;base64,', page)) == 8
    assert not re.findall(r'(?:src|href)="(?!data:)', page)
    told, (likely, sharp, _) = lessons.duel(), lessons.fits()[2]
    assert f"the value is {told.bound:.4f}" in page
    assert f"reached {told.values[-1]:.4f}" in page
    assert f"at {likely.mean:.2f} with deviation {likely.deviation:.2f}" in page.replace("\n", " ")
    assert f"{sharp.mean:.2f} with {sharp.deviation:.2f}" in page
