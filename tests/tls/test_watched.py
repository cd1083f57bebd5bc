"""wsrelay.tls.watched"""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from wsrelay.tls.pair import Unusable
from wsrelay.tls.watched import Watched


def watch(*paths: Path) -> Watched[list[str]]:
    """Files that can be used as long as none says "broken"."""

    def read() -> list[str]:
        contents = [path.read_text() for path in paths]
        if "broken" in contents:
            raise Unusable("broken")
        return contents

    return Watched([str(path) for path in paths], read)


def looks_until_changed(watched: Watched[list[str]]) -> int:
    """How many looks it takes; five without a change count as none at all."""
    return next((look for look in range(1, 6) if watched.has_changed()), 0)


@pytest.fixture
def files(tmp_path: Path) -> tuple[Path, Path]:
    cert, key = tmp_path / "cert", tmp_path / "key"
    cert.write_text("first")
    key.write_text("first")
    return cert, key


def test_files_that_stay_as_they_are_have_not_changed(files: tuple[Path, Path]) -> None:
    watched = watch(*files)
    assert looks_until_changed(watched) == 0
    assert watched.content == ["first", "first"]


def test_a_change_is_one_at_the_second_look_that_finds_it(files: tuple[Path, Path]) -> None:
    watched = watch(*files)
    files[0].write_text("second")
    assert not watched.has_changed()
    files[1].write_text("second")
    assert not watched.has_changed(), "still being written"
    assert watched.has_changed()
    watched.read_again()
    assert watched.content == ["second", "second"]
    assert looks_until_changed(watched) == 0


def test_the_same_size_in_the_same_file_is_a_change_all_the_same(
    files: tuple[Path, Path],
) -> None:
    watched = watch(*files)
    inode = files[0].stat().st_ino
    files[0].write_text("FIRST")
    os.utime(files[0], ns=(0, files[0].stat().st_mtime_ns + 1))
    assert files[0].stat().st_ino == inode
    assert looks_until_changed(watched) == 2


def test_another_file_in_its_place_with_the_same_time_and_size_is_a_change(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    watched = watch(*files)
    other = tmp_path / "other"
    other.write_text("FIRST")
    moment = files[0].stat().st_mtime_ns
    os.utime(other, ns=(moment, moment))
    os.rename(other, files[0])
    assert looks_until_changed(watched) == 2


def test_links_are_followed_to_wherever_they_point_now(tmp_path: Path) -> None:
    # As certbot does: live/cert.pem -> ../archive/cert2.pem
    for number, text in ((1, "first"), (2, "second")):
        (tmp_path / f"cert{number}").write_text(text)
    live = tmp_path / "live"
    live.symlink_to("cert1")
    watched = watch(live)
    live.unlink()
    live.symlink_to("cert2")
    assert looks_until_changed(watched) == 2
    watched.read_again()
    assert watched.content == ["second"]


def test_what_cannot_be_used_is_told_once_and_what_was_before_stays(
    files: tuple[Path, Path],
) -> None:
    watched = watch(*files)
    files[1].write_text("broken")
    assert looks_until_changed(watched) == 2
    with pytest.raises(Unusable):
        watched.read_again()
    assert watched.content == ["first", "first"]
    assert looks_until_changed(watched) == 0, "the same fault again"
    files[1].write_text("mended")
    assert looks_until_changed(watched) == 2
    watched.read_again()
    assert watched.content == ["first", "mended"]


def test_a_file_that_goes_away_and_comes_back_is_two_changes(files: tuple[Path, Path]) -> None:
    watched = watch(*files)
    files[0].unlink()
    assert looks_until_changed(watched) == 2
    with pytest.raises(FileNotFoundError):
        watched.read_again()
    files[0].write_text("second")
    assert looks_until_changed(watched) == 2


def test_a_file_that_is_gone_between_two_looks_only_is_no_change_if_it_is_the_same(
    files: tuple[Path, Path], tmp_path: Path
) -> None:
    watched = watch(*files)
    os.rename(files[0], tmp_path / "aside")
    assert not watched.has_changed()
    os.rename(tmp_path / "aside", files[0])
    assert looks_until_changed(watched) == 0
