import pytest

from rakuten_assets.synthetic.__main__ import main


def test_summary_in_human_units(tmp_path, capsys):
    arguments = [str(tmp_path / "new"), "--train-rows", "40", "--test-rows", "4", "--seed", "3"]
    assert main(arguments) == 0
    said = capsys.readouterr().out
    assert "40 train, 4 test, seed 3" in said and "generated in" in said and "KiB on average" in said
    assert "synthetic_faults.csv: " in said and "truncated 1" in said
    assert main(arguments) == 0
    assert "found, reused" in capsys.readouterr().out


def test_no_faults(tmp_path, capsys):
    assert main([str(tmp_path / "new"), "--train-rows", "27", "--test-rows", "1", "--no-faults"]) == 0
    assert "faults  none" in capsys.readouterr().out


def test_a_refusal_is_one_line_and_exit_status_1(tmp_path, capsys):
    assert main([str(tmp_path / "new"), "--train-rows", "3"]) == 1
    said = capsys.readouterr()
    assert said.err.startswith("error: a synthetic catalogue of 3 train rows") and said.out == ""
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("arguments", [["--help"], []])
def test_help_names_every_option(capsys, arguments):
    with pytest.raises(SystemExit):
        main(arguments)
    said = capsys.readouterr()
    if arguments:
        for option in (
            "DIR",
            "--train-rows",
            "--test-rows",
            "--full",
            "--seed",
            "--workers",
            "--no-faults",
            "84,916",
        ):
            assert option in said.out


@pytest.mark.parametrize("count", ["0", "-2", "two"])
def test_a_wrong_number_of_workers_is_refused(tmp_path, capsys, count):
    with pytest.raises(SystemExit, match="2"):
        main([str(tmp_path / "new"), "--workers", count])
    assert "--workers" in capsys.readouterr().err
