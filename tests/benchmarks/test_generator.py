"""benchmarks.generator"""

from __future__ import annotations

from benchmarks.generator import answer


def test_a_line_of_json_is_the_answer() -> None:
    assert answer('{"delivered_per_s":3,"lost":0}\n', ["3 ready"], 0) == {
        "delivered_per_s": 3,
        "lost": 0,
    }


def test_an_error_is_told_with_the_first_two_different_complaints() -> None:
    complaints = ["refused: 503", "refused: 503", "connect: reset", "refused: 404"]
    said = answer('{"error":"only 1 of 9 connections ready","dead":8}', complaints, 1)
    assert said["error"] == "only 1 of 9 connections ready; refused: 503; connect: reset"
    assert said["dead"] == 8


def test_without_an_answer_the_status_is_told() -> None:
    said = answer("", ["bind: Cannot assign requested address"], 1)
    assert said["error"] == (
        "the load generator ended with status 1; bind: Cannot assign requested address"
    )
