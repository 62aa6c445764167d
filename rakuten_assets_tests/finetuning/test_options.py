from __future__ import annotations

import re
from pathlib import Path

import pytest

from rakuten_assets.errors import SettingsError
from rakuten_assets.finetuning.options import FineTuning, options_table, parse_options


def test_nothing_said_is_the_defaults() -> None:
    assert parse_options("") == parse_options(" , ") == FineTuning()


def test_options_are_read_by_their_kind() -> None:
    found = parse_options(
        "epochs=3, learning_rate=1e-4,train=features.7+features.8 ,gradient_checkpointing=yes"
    )
    assert (found.epochs, found.learning_rate, found.train) == (3, 1e-4, "features.7+features.8")
    assert found.gradient_checkpointing is True


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("epoch=3", "'epoch' is no option of fine-tuning; did you mean 'epochs'?"),
        ("zzz=3", "'zzz' is no option of fine-tuning; options are start, train"),
        ("epochs", "epochs has no value"),
        ("epochs=3,epochs=4", "epochs stands there twice"),
        ("epochs=0", "epochs=0 is not allowed; wanted is a whole number, at least 1 and at most 10000"),
        ("epochs=2.5", "epochs=2.5 is not allowed"),
        ("learning_rate=nan", "learning_rate=nan is not allowed"),
        ("learning_rate=-1", "learning_rate=-1.0 is not allowed; wanted is a number, at least 1e-09"),
        ("loss=hinge", "loss=hinge is not allowed; allowed are cross_entropy, focal"),
        ("gradient_checkpointing=1", "gradient_checkpointing=1 is not allowed; allowed are yes and no"),
        ("batch_size=1", "batch_size=1 is not allowed"),
    ],
)
def test_a_wrong_option_is_refused_in_one_sentence(text: str, said: str) -> None:
    with pytest.raises(SettingsError) as caught:
        parse_options(text)
    assert str(caught.value).startswith("RAKUTEN_FINETUNE_OPTIONS: ")
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_options_as_a_value_are_checked_too() -> None:
    with pytest.raises(SettingsError, match="epochs=yes is not allowed"):
        FineTuning(epochs=True)
    with pytest.raises(SettingsError, match="balance=all is not allowed"):
        FineTuning(balance="all")


def test_what_changes_no_result_is_no_part_of_the_identity() -> None:
    one, other = FineTuning(workers=3, checkpoint_every=7), FineTuning()
    assert one.identity() == other.identity()
    assert FineTuning(ema=0.9).identity() != other.identity()


def test_the_table_of_options_in_the_readme_is_the_codes() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text("utf-8")
    table = re.search(r"<!-- fine-tuning -->\n(.*?)\n<!-- /fine-tuning -->", readme, flags=re.DOTALL)
    assert table is not None
    assert table[1] == options_table()
