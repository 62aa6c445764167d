from __future__ import annotations

import itertools
import threading
import uuid
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from upath import UPath

from rakuten_assets.integrity.duplicates.comparison_memory import ComparisonMemory
from rakuten_assets.storage.files import sha256_of_bytes

BASIS = {"way": 1}
# NumPy drops zeros at the end of fixed-size bytes: some digests are made to end in them.
FILES = [
    *(sha256_of_bytes(f"file {number}".encode()) for number in range(4)),
    "00" * 32,
    "ab" + "00" * 31,
    "ab" * 31 + "00",
    "ff" * 32,
]
Pairs = dict[frozenset[str], bool]


def remember(folder: Path | UPath, pairs: Pairs, log=None) -> None:
    """One run that compares these pairs, whatever is known of them."""
    memory = ComparisonMemory(folder, BASIS, FILES, log)
    left, right = positions(pairs, FILES)
    memory.knows(left, right)
    memory.learn(left, right, np.array(list(pairs.values()), dtype=bool))
    memory.save()


def recalled(folder: Path | UPath, files: list[str] = FILES, log=None) -> Pairs:
    """Everything that a run with these files knows."""
    memory = ComparisonMemory(folder, BASIS, files, log)
    left, right = (np.array(side, dtype=np.int64) for side in np.triu_indices(len(files), k=1))
    known = memory.knows(left, right)
    alike = {frozenset((files[i], files[j])) for i, j in zip(*memory.alike(), strict=True)}
    found = {frozenset((files[i], files[j])) for i, j in zip(left[known], right[known], strict=True)}
    assert alike <= found
    return {pair: pair in alike for pair in found}


def positions(pairs, files: list[str]) -> tuple[np.ndarray, np.ndarray]:
    ends = [[files.index(file) for file in pair] for pair in pairs]
    left, right = np.array(ends, dtype=np.int64).reshape(-1, 2).T
    return left, right


_PAIR = st.sampled_from([frozenset(pair) for pair in itertools.combinations(FILES, 2)])
_RUN = st.tuples(st.sets(_PAIR, max_size=8), st.permutations(FILES), st.integers(1, len(FILES)))


@given(st.lists(_RUN, max_size=5), st.integers(0, 2**28 - 1))
@settings(max_examples=100, deadline=None)
def test_runs_know_what_earlier_runs_found_of_the_pairs_that_still_matter(tmp_path_factory, runs, truth):
    every = [frozenset(pair) for pair in itertools.combinations(FILES, 2)]
    outcomes = {pair: bool(truth >> place & 1) for place, pair in enumerate(every)}
    folder = tmp_path_factory.mktemp("runs")
    expected: Pairs = {}
    for candidates, order, count in runs:
        files = order[:count]
        asked = [pair for pair in candidates if pair <= set(files)]
        memory = ComparisonMemory(folder, BASIS, files)
        left, right = positions(asked, files)
        known = memory.knows(left, right)
        assert known.tolist() == [pair in expected for pair in asked]
        new = [pair for pair in asked if pair not in expected]
        memory.learn(left[~known], right[~known], np.array([outcomes[pair] for pair in new], dtype=bool))
        memory.save()
        if new:
            expected = {pair: outcomes[pair] for pair in asked}
        assert recalled(folder) == expected


def test_order_and_other_files_do_not_matter(tmp_path):
    pairs = {frozenset(FILES[:2]): True, frozenset(FILES[1:3]): False, frozenset(FILES[4:6]): True}
    remember(tmp_path, pairs)
    assert recalled(tmp_path, FILES[::-1]) == pairs
    assert recalled(tmp_path, [*FILES[5:], "12" * 32, *FILES[4:0:-1]]) == {
        pair: same for pair, same in pairs.items() if FILES[0] not in pair
    }
    assert recalled(tmp_path, ["12" * 32, "34" * 32]) == {}
    assert recalled(tmp_path, []) == {}


def test_a_file_that_is_gone_is_not_taken_for_its_neighbour(tmp_path):
    every = [frozenset(pair) for pair in itertools.combinations(FILES, 2)]
    truth = {pair: place % 3 == 0 for place, pair in enumerate(every)}
    remember(tmp_path, truth)
    for kept in range(2 ** len(FILES)):
        files = [file if kept >> at & 1 else sha256_of_bytes(file.encode()) for at, file in enumerate(FILES)]
        for present in (files, [file for file in files if file in FILES]):
            assert recalled(tmp_path, present) == {
                pair: same for pair, same in truth.items() if pair <= set(present)
            }


def test_damage_to_any_byte_is_said_and_nothing_is_believed(tmp_path):
    remember(tmp_path, {frozenset(FILES[:2]): True, frozenset(FILES[2:4]): False})
    (file,) = tmp_path.iterdir()
    whole = file.read_bytes()
    flipped = [whole[:at] + bytes([whole[at] ^ 1 << at % 8]) + whole[at + 1 :] for at in range(len(whole))]
    cut = [whole[:length] for length in (*range(0, len(whole), 7), len(whole) - 1)]
    for damaged in [*flipped, *cut, whole + b"\0", whole * 2]:
        file.write_bytes(damaged)
        said: list[str] = []
        assert recalled(tmp_path, log=said.append) == {}
        assert len(said) == 1
        assert str(file) in said[0]
    remember(tmp_path, {frozenset(FILES[:2]): True})
    assert recalled(tmp_path) == {frozenset(FILES[:2]): True}


def test_another_way_of_comparing_has_a_memory_of_its_own(tmp_path):
    remember(tmp_path, {frozenset(FILES[:2]): True})
    other = ComparisonMemory(tmp_path, {"way": 2}, FILES)
    zero, one = np.array([0]), np.array([1])
    assert not other.knows(zero, one).any()
    other.learn(zero, one, np.array([False]))
    other.save()
    assert recalled(tmp_path) == {frozenset(FILES[:2]): True}


def test_a_memory_under_another_name_is_not_believed(tmp_path):
    remember(tmp_path, {frozenset(FILES[:2]): True})
    (file,) = tmp_path.iterdir()
    other = ComparisonMemory(tmp_path, {"way": 2}, FILES)
    other.learn(np.array([0]), np.array([1]), np.array([False]))
    other.save()
    (stranger,) = set(tmp_path.iterdir()) - {file}
    stranger.replace(file)
    said: list[str] = []
    assert recalled(tmp_path, log=said.append) == {}
    assert "damaged" in said[0]


def test_nothing_new_writes_nothing(tmp_path):
    remember(tmp_path, {frozenset(FILES[:2]): True, frozenset(FILES[2:4]): False})
    (file,) = tmp_path.iterdir()
    before = file.stat()
    memory = ComparisonMemory(tmp_path, BASIS, FILES)
    memory.knows(np.array([0]), np.array([1]))
    memory.save()
    assert (file.stat().st_ino, file.stat().st_mtime_ns) == (before.st_ino, before.st_mtime_ns)
    assert len(recalled(tmp_path)) == 2


def test_without_a_folder_nothing_is_known_or_kept():
    memory = ComparisonMemory(None, BASIS, FILES)
    memory.learn(np.array([0]), np.array([1]), np.array([True]))
    memory.save()
    assert not memory.knows(np.array([0]), np.array([1])).any()
    assert [side.tolist() for side in memory.alike()] == [[], []]


def test_a_bucket_serves_as_well():
    bucket = UPath(f"memory://{uuid.uuid4().hex}/cache/near_pairs")
    remember(bucket, {frozenset(FILES[:2]): True})
    assert recalled(bucket) == {frozenset(FILES[:2]): True}


def test_a_folder_that_cannot_be_used_costs_a_sentence(tmp_path):
    (tmp_path / "near_pairs").write_bytes(b"a file where the folder should be")
    said: list[str] = []
    remember(tmp_path / "near_pairs", {frozenset(FILES[:2]): True}, log=said.append)
    assert ["read" in said[0], "written" in said[1]] == [True, True]
    assert len(said) == 2


def test_runs_at_the_same_time_leave_one_whole_memory(tmp_path):
    """Readers never see half of a file, and the last writer wins."""
    one, other = {frozenset(FILES[:2]): True}, {frozenset(FILES[2:4]): False, frozenset(FILES[5:7]): True}
    remember(tmp_path, one)
    said: list[str] = []
    seen: list[Pairs] = []

    def write(pairs: Pairs) -> None:
        for _ in range(20):
            memory = ComparisonMemory(tmp_path, BASIS, FILES, said.append)
            memory.learn(*positions(pairs, FILES), np.array(list(pairs.values())))
            memory.save()
            seen.append(recalled(tmp_path, log=said.append))

    threads = [threading.Thread(target=write, args=(pairs,)) for pairs in (one, other)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert said == []
    assert len(seen) == 40
    assert all(pairs in (one, other) for pairs in seen)
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("count", [1, 200])
def test_many_files_are_found_again(tmp_path, count):
    files = [sha256_of_bytes(f"{number}".encode()) for number in range(2 * count)]
    left, right = np.arange(count), np.arange(count) + count
    memory = ComparisonMemory(tmp_path, BASIS, files)
    memory.learn(right, left, left % 3 == 0)
    memory.save()
    order = np.random.default_rng(0).permutation(2 * count)
    place = np.argsort(order)
    again = ComparisonMemory(tmp_path, BASIS, [files[at] for at in order])
    assert again.knows(place[left], place[right]).all()
    pairs = {frozenset(pair) for pair in zip(*again.alike(), strict=True)}
    assert pairs == {frozenset(pair) for pair in zip(place[left[::3]], place[right[::3]], strict=True)}
