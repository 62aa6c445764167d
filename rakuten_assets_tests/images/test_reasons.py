"""The fault taxonomy is complete and consistent."""

from rakuten_assets.images.reasons import DESCRIPTIONS, REMARKS, Reason, Status, status_of


def test_every_reason_is_described_once() -> None:
    assert set(DESCRIPTIONS) == set(Reason)
    assert len(set(DESCRIPTIONS.values())) == len(Reason)


def test_codes_are_fixed() -> None:
    # Stored tables, filters and reports hold these words.
    assert {str(reason) for reason in Reason} == {
        "",
        "missing",
        "unreadable_file",
        "empty",
        "file_too_large",
        "not_an_image",
        "unsupported_format",
        "damaged_header",
        "too_much_memory",
        "decoder_failure",
        "odd_header",
        "too_many_pixels",
        "unsupported_mode",
        "truncated",
        "corrupt_scan",
        "decoder_warning",
        "wrong_format",
        "animated",
        "trailing_bytes",
    }
    assert {str(status) for status in Status} == {"ok", "unreadable", "missing"}


def test_status_follows_from_the_reason() -> None:
    assert status_of(Reason.MISSING) is Status.MISSING
    for reason in Reason:
        if reason is not Reason.MISSING:
            assert status_of(reason) is (Status.OK if reason in REMARKS else Status.UNREADABLE)
    assert {str(reason) for reason in REMARKS} == {
        "",
        "wrong_format",
        "animated",
        "trailing_bytes",
        "odd_header",
    }
