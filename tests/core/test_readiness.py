from wsrelay.core.readiness import Readiness


def test_a_node_without_reasons_is_ready() -> None:
    assert Readiness().is_ready


def test_a_node_is_ready_again_when_every_part_has_taken_its_reason_back() -> None:
    readiness = Readiness()
    readiness.withdraw("drain", "the server is stopping")
    readiness.withdraw("redis", "no connection")
    readiness.restore("drain")
    assert not readiness.is_ready
    readiness.restore("redis")
    assert readiness.is_ready


def test_only_the_newest_reason_of_a_part_is_told() -> None:
    readiness = Readiness()
    readiness.withdraw("redis", "no connection")
    readiness.withdraw("drain", "the server is stopping")
    readiness.withdraw("redis", "loading")
    assert readiness.reasons == ("loading", "the server is stopping")


def test_a_part_without_a_reason_may_take_it_back() -> None:
    readiness = Readiness()
    readiness.restore("redis")
    assert readiness.is_ready
