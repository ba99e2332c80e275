"""The room for lines that wait is shared by all who send."""

from osmo_log_router.line_room import ALL, LEAST, MOST, LineRoom


def test_one_sender_has_a_bounded_share_and_many_share_the_whole() -> None:
    room = LineRoom()
    shares = []
    for _ in range(1_000):
        room.enter()
        shares.append(room.share)
    assert shares[0] == MOST
    assert shares[31] == ALL // 32
    assert shares[-1] == LEAST
    assert shares == sorted(shares, reverse=True)


def test_who_leaves_gives_his_share_to_the_others() -> None:
    room = LineRoom()
    for _ in range(32):
        room.enter()
    for _ in range(31):
        room.leave()
    assert room.share == MOST
