"""The labelled sentences: balanced, and the eval split can't be answered from words learned by heart."""

import re
from collections import Counter
from pathlib import Path

import pytest
from smoke_run.causes import CauseError
from smoke_run.samples import Sample, corpus, load_corpus, parse_samples, read_built_in


def words(sample: Sample) -> set[str]:
    return set(re.findall(r"[a-z]+", sample.text.lower()))


def telling_words(samples: tuple[Sample, ...]) -> set[str]:
    """Words that occur under one label only: what a sentence is judged by."""
    seen: dict[str, set[str]] = {}
    for sample in samples:
        for word in words(sample):
            seen.setdefault(word, set()).add(sample.label)
    return {word for word, labels in seen.items() if len(labels) == 1}


def test_the_splits_are_balanced_and_have_no_sentence_twice() -> None:
    for split, size in (("train", 96), ("eval", 64)):
        samples = read_built_in(split)
        assert Counter(sample.label for sample in samples) == {"positive": size // 2, "negative": size // 2}
        assert len({sample.text for sample in samples}) == size


def test_the_telling_words_of_the_eval_split_never_occur_in_training() -> None:
    train, evaluation = read_built_in("train"), read_built_in("eval")
    telling = telling_words(evaluation)
    assert len(telling) == 16
    assert not telling & set().union(*map(words, train))


def test_every_sentence_has_a_telling_word() -> None:
    for samples in (read_built_in("train"), read_built_in("eval")):
        telling = telling_words(samples)
        assert all(words(sample) & telling for sample in samples)


def test_all_other_words_say_nothing_about_the_label() -> None:
    for samples in (read_built_in("train"), read_built_in("eval")):
        telling = telling_words(samples)
        by_label = {
            label: Counter(w for s in samples if s.label == label for w in words(s) - telling)
            for label in ("positive", "negative")
        }
        assert by_label["positive"] == by_label["negative"]


def test_the_positive_label_is_found() -> None:
    built_in = load_corpus(None, None)
    assert built_in.labels == ("negative", "positive")
    assert built_in.positive == 1
    assert not built_in.own


def test_own_data_may_have_other_labels_and_a_byte_order_mark(tmp_path: Path) -> None:
    file = tmp_path / "own.jsonl"
    rows = '{"text": "我的包裹在哪里?", "label": "delivery"}\n\n{"text": "New password?", "label": "account"}\n'
    file.write_text("\ufeff" + rows, encoding="utf-8")
    own = load_corpus(file, file)
    assert own.labels == ("account", "delivery")
    assert own.positive is None
    assert own.own


def test_a_line_separator_inside_a_text_does_not_end_the_line() -> None:
    assert parse_samples('{"text": "one\u2028two", "label": "x"}', "file")[0].text == "one\u2028two"


@pytest.mark.parametrize(
    ("line", "words"),
    [
        ("not json", "file, line 2: not JSON"),
        ('{"text": "no label"}', "file, line 2"),
        ('{"text": 3, "label": "x"}', "file, line 2"),
        ("[]", "file, line 2"),
    ],
)
def test_a_bad_line_is_named(line: str, words: str) -> None:
    with pytest.raises(CauseError, match=words) as caught:
        parse_samples('{"text": "a", "label": "x"}\n' + line, "file")
    assert caught.value.cause == "data-invalid"


def test_data_that_can_teach_nothing_is_refused() -> None:
    one, two, strange = Sample("a", "x"), Sample("b", "y"), Sample("c", "z")
    for train, evaluation in (((one,), (one,)), ((one, two), (strange,)), ((one, two), ())):
        with pytest.raises(CauseError) as caught:
            corpus(train, evaluation, own=True)
        assert caught.value.cause == "data-invalid"
