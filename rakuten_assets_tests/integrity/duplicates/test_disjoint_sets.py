import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from rakuten_assets.integrity.duplicates.disjoint_sets import DisjointSets

_PAIRS = st.lists(st.tuples(st.integers(0, 11), st.integers(0, 11)), max_size=20)


@given(st.lists(_PAIRS, max_size=4))
def test_members_have_one_root_where_a_chain_of_pairs_joins_them(batches):
    sets, expected = DisjointSets(12), [{number} for number in range(12)]
    for pairs in batches:
        left, right = np.array(pairs, dtype=np.int64).reshape(-1, 2).T
        sets.join(left, right)
        for one, other in pairs:
            merged = expected[one] | expected[other]
            for member in merged:
                expected[member] = merged
        roots = sets.roots(np.arange(12)).tolist()
        assert [[i for i in range(12) if roots[i] == root] for root in roots] == [sorted(s) for s in expected]


def test_a_long_chain_and_a_star_join_in_one_go():
    chain = np.arange(5000)
    for left, right in ((chain[:-1], chain[1:]), (chain[1:], np.zeros(4999, dtype=np.int64))):
        sets = DisjointSets(5001)
        order = np.random.default_rng(0).permutation(len(left))
        sets.join(left[order], right[order])
        assert len(set(sets.roots(np.arange(5000)).tolist())) == 1
        assert sets.roots(np.array([5000])) != sets.roots(np.array([0]))
