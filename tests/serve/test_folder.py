import os
import shutil

import pytest

from modalprism.serve import folder
from modalprism.serve.files import downloads, read_regular
from modalprism.serve.folder import Comparison, Listings, Run, find_runs
from modalprism.studies import study


def found(root):
    return {run.name: run.finished for run in find_runs(root).runs}


def make_finished(folder):
    folder.mkdir(parents=True, exist_ok=True)
    for name in ("profile.parquet", "manifest.json"):
        (folder / name).touch()


def test_runs_are_found_three_deep_and_no_deeper(tmp_path):
    for name in ("a", "b/a", "c/b/a", "d/c/b/a"):
        make_finished(tmp_path / name)
    assert found(tmp_path) == {"a": True, "b/a": True, "c/b/a": True}


def test_a_run_may_be_the_folder_itself(tmp_path):
    make_finished(tmp_path)
    assert found(tmp_path) == {".": True}


@pytest.mark.parametrize("part", ["analyses", "store"])
def test_half_a_run_is_told_from_a_whole_one(tmp_path, part):
    (tmp_path / "half" / part).mkdir(parents=True)
    (tmp_path / "other").mkdir()
    assert found(tmp_path) == {"half": False}


@pytest.mark.parametrize("file", ["profile.parquet", "manifest.json", "study.yaml"])
def test_a_run_that_lacks_a_file_is_half(tmp_path, file):
    (tmp_path / "half").mkdir()
    (tmp_path / "half" / file).touch()
    assert found(tmp_path) == {"half": False}


def test_a_study_beside_its_run_is_no_run(tmp_path):
    (tmp_path / "study.yaml").touch()
    make_finished(tmp_path / "run")
    assert found(tmp_path) == {"run": True}


def test_what_belongs_to_a_run_is_not_looked_through(tmp_path):
    make_finished(tmp_path / "a")
    for name in ("store", "analyses", "figures", ".hidden"):
        make_finished(tmp_path / "a" / name)
    assert found(tmp_path) == {"a": True}


def test_links_are_not_followed(tmp_path):
    root = tmp_path / "runs"
    root.mkdir()
    make_finished(tmp_path / "outside")
    (root / "linked").symlink_to(tmp_path / "outside")
    (root / "files").mkdir()
    for name in ("profile.parquet", "manifest.json"):
        (root / "files" / name).symlink_to(tmp_path / "outside" / name)
    assert found(root) == {}


def compared(root):
    return {one.name: one.finished for one in find_runs(root).comparisons}


def test_comparisons_are_found_whole_or_half(tmp_path):
    for name in ("whole", "half/deep", "own", "a/b/c/too-deep"):
        (tmp_path / name / "figures").mkdir(parents=True)
    for name in ("whole/comparison.html", "whole/differences.csv", "half/deep/differences.csv",
                 "a/b/c/too-deep/comparison.html", "own/figures/comparison.html"):  # fmt: skip
        (tmp_path / name).touch()
    assert compared(tmp_path) == {"whole": True, "half/deep": False}
    assert found(tmp_path) == {}


def test_somebodys_own_table_of_that_name_is_no_comparison(tmp_path):
    (tmp_path / "differences.csv").touch()
    assert compared(tmp_path) == {}


def test_links_to_comparisons_are_not_followed(tmp_path):
    root, outside = tmp_path / "runs", tmp_path / "outside"
    (outside / "figures").mkdir(parents=True)
    for name in ("comparison.html", "differences.csv"):
        (outside / name).touch()
    (root / "files").mkdir(parents=True)
    (root / "linked").symlink_to(outside)
    for name in ("comparison.html", "differences.csv", "figures"):
        (root / "files" / name).symlink_to(outside / name)
    assert compared(root) == {}


def test_the_comparison_written_last_comes_first(tmp_path):
    for name, moment in (("old", 1000), ("new", 2000)):
        (tmp_path / name).mkdir()
        (tmp_path / name / "comparison.html").touch()
        os.utime(tmp_path / name / "comparison.html", (moment, moment))
    assert list(compared(tmp_path)) == ["new", "old"]


def test_too_many_folders_are_said(tmp_path):
    for number in range(5):
        make_finished(tmp_path / str(number))
    some = find_runs(tmp_path, most=3)
    assert (len(some.runs), some.whole) == (2, False)
    assert find_runs(tmp_path).whole


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read any folder")
def test_a_folder_that_may_not_be_read_holds_nothing(tmp_path):
    make_finished(tmp_path / "a")
    (tmp_path / "a").chmod(0)
    assert find_runs(tmp_path).runs == ()
    (tmp_path / "a").chmod(0o700)


def test_a_folder_that_is_gone_holds_nothing(tmp_path):
    assert find_runs(tmp_path / "none").runs == ()


def test_the_last_written_comes_first(tmp_path):
    for name, moment in (("old", 1000), ("new", 2000)):
        make_finished(tmp_path / name)
        os.utime(tmp_path / name / "manifest.json", (moment, moment))
    assert [run.name for run in find_runs(tmp_path).runs] == ["new", "old"]


def test_the_study_is_called_as_the_study_calls_it():
    assert folder.STUDY_FILE == study.STUDY_FILE


def test_only_files_of_a_run_are_offered(tmp_path):
    make_finished(tmp_path)
    (tmp_path / "figures" / "deep.svg").mkdir(parents=True)
    for name in ("study.yaml", "report.html", "secret.txt", "figures/a.svg", "figures/a.exe",
                 "figures/.a.svg", 'figures/a".svg'):  # fmt: skip
        (tmp_path / name).touch()
    (tmp_path / "figures" / "out.svg").symlink_to("/etc/hostname")
    names = ["report.html", "profile.parquet", "manifest.json", "study.yaml", "figures/a.svg"]
    assert list(downloads(Run(tmp_path, ".", True))) == names


def test_only_files_of_a_comparison_are_offered(tmp_path):
    (tmp_path / "figures").mkdir()
    (tmp_path / "tables").mkdir()
    for name in ("comparison.html", "differences.csv", "report.html", "manifest.json", "secret.csv",
                 "figures/map.svg", "figures/map.exe", "tables/a.tex"):  # fmt: skip
        (tmp_path / name).touch()
    (tmp_path / "figures" / "out.svg").symlink_to("/etc/hostname")
    names = ["comparison.html", "differences.csv", "figures/map.svg"]
    assert list(downloads(Comparison(tmp_path, ".", True))) == names


def test_what_is_no_file_of_its_own_is_not_offered_and_not_read(tmp_path):
    (tmp_path / "report.html").symlink_to("/etc/hostname")
    os.mkfifo(tmp_path / "study.yaml")
    os.symlink("/etc", tmp_path / "figures")
    assert downloads(Run(tmp_path, ".", True)) == {}
    with pytest.raises(OSError, match="symbolic"):
        read_regular(tmp_path / "report.html")
    with pytest.raises(OSError, match="is no file"):
        read_regular(tmp_path / "study.yaml")


def test_a_folder_that_does_not_change_is_read_once(runs, add, monkeypatch):
    add("a")
    for place in (runs, *runs.rglob("*")):
        os.utime(place, (1000, 1000))
    listings = Listings()
    expected = find_runs(runs, listed=listings)
    monkeypatch.setattr("modalprism.serve.folder.list_folder", pytest.fail)
    assert find_runs(runs, listed=listings) == expected


def test_a_folder_that_changes_is_read_again(runs, add):
    listings = Listings()
    for name in ("a", "b", "c"):
        add(name)
        assert find_runs(runs, listed=listings) == find_runs(runs)
    (runs / "a" / "manifest.json").unlink()
    shutil.rmtree(runs / "b")
    (runs / "c").rename(runs / "d")
    assert find_runs(runs, listed=listings) == find_runs(runs)


def test_a_link_in_the_place_of_a_folder_is_not_followed(runs, add, tmp_path):
    listings = Listings()
    add("a").rename(tmp_path / "outside")
    find_runs(runs, listed=listings)
    (runs / "a").symlink_to(tmp_path / "outside")
    assert listings(runs / "a").files == frozenset()
    assert find_runs(runs, listed=listings).runs == ()
