# SPDX-License-Identifier: Apache-2.0
"""The NPU as firmware sees it through the mailbox, with the NPU simulator behind the mailbox.

Register numbers and values are those of Arm's Ethos-U55 register map.
"""

from __future__ import annotations

import time

from probe_bench import Bench, kill

ID, STATUS, CMD, RESET, QBASE, QSIZE, CONFIG, LOCK = 0x0, 0x4, 0x8, 0xC, 0x10, 0x20, 0x28, 0x2C


def test_the_npu_is_the_one_that_was_asked_for(bench: Bench) -> None:
    bench.power_up(npu="ethos-u55-256")
    assert int(bench.wire.ask(f"r {CONFIG}"), 16) == 0x3008
    bench.power_up()
    assert int(bench.wire.ask(f"r {CONFIG}"), 16) == 0x1807


def test_a_register_reads_what_was_written_before(bench: Bench) -> None:
    bench.power_up()
    answer = bench.wire.ask("t 200")
    assert answer.endswith(", 0 wrong")
    print(f"{bench.folder}: round trip {answer}")


def test_more_writes_than_the_fifo_holds_arrive_in_order(bench: Bench) -> None:
    bench.power_up()
    for value in range(150):
        bench.wire.send(f"w {LOCK} {value}")
    for _ in range(150):
        assert bench.wire.read_line() == "ok"
    assert int(bench.wire.ask(f"r {LOCK}"), 16) == 149


def test_a_run_raises_the_interrupt_and_its_status_is_there(bench: Bench) -> None:
    bench.power_up()
    _start(bench, [OP_STOP])
    answer = bench.wire.ask("i 3000")
    assert answer.startswith("interrupt")
    status = int(bench.wire.ask(f"r {STATUS}"), 16)
    assert status & 0x22 == 0x22  # irq_raised, cmd_end_reached
    assert status & 0x1D == 0  # not running, no bus fault, no reset, no parse error
    print(f"{bench.folder}: {answer}")

    bench.wire.ask(f"w {CMD} 2")
    assert int(bench.wire.ask(f"r {STATUS}"), 16) & 2 == 0
    assert bench.wire.ask("i 50").startswith("none")


def test_only_memory_that_the_simulator_shares_has_an_npu_address(bench: Bench) -> None:
    bench.power_up()
    words = bench.wire.ask("m").split()
    model, arena, stack = int(words[1], 16), int(words[3], 16), words[5]
    assert model == 0x7000_0000
    assert arena % 32 == 0 and 0x7000_0000 < arena < 0x7FFF_0000
    assert stack == "ffffffff"


def test_a_simulator_that_dies_is_noticed_by_the_firmware_in_its_sleep(bench: Bench) -> None:
    state = bench.power_up()
    assert bench.wire.ask("a") == "alive"
    bench.wire.send("i 60000")
    time.sleep(0.2)
    kill(state.npu_pid)
    answer = bench.wire.read_line()
    assert answer.startswith("none after")
    assert int(answer.split()[2]) < 60_000_000, "it waited to the end"
    assert bench.wire.ask("a") == "gone"
    assert bench.wire.ask(f"r {ID}") == "00000000"
    state = bench.wait_until(lambda s: s.npu_ended != "")
    assert state.running
    assert state.npu_ended == "the NPU simulator ended: killed by SIGKILL"


def test_reset_of_the_core_leaves_a_working_npu_port(bench: Bench) -> None:
    bench.power_up()
    for value in (3, 7):
        bench.wire.send(f"w {LOCK} {value}")
        bench.wire.send("z")
        bench.wire.read_until("probe boot")
        assert bench.wire.ask("t 3").endswith(", 0 wrong")


def test_a_dropped_interrupt_is_a_wait_that_ends(bench: Bench) -> None:
    bench.power_up(npu_faults=("drop-interrupt",))
    _start(bench, [OP_STOP])
    assert bench.wire.ask("i 300").startswith("none")
    assert bench.wire.ask("a") == "alive"


def test_a_simulator_that_takes_longer_than_the_deadline_is_waited_for(bench: Bench) -> None:
    bench.power_up()
    arena, _ = _addresses(bench)
    copies = _copy(arena + 0x0100_0000, arena + 0x0200_0000, 0x0080_0000) + [OP_DMA_START, OP_DMA_WAIT] * 20
    _start(bench, [*copies, OP_STOP])
    assert bench.wire.ask("i 1").startswith("interrupt")


def test_the_simulator_sees_memory_that_the_cpu_wrote_and_writes_it(bench: Bench) -> None:
    bench.power_up()
    # The CPU writes a stream to word 64 of the arena: NPU_OP_STOP with mask 5. The NPU's DMA copies
    # the stream over the start of the model, which is not a stream. Then the NPU runs the stream
    # from there, and the mask in STATUS proves the run.
    arena, model = _addresses(bench)
    bench.wire.ask("p 64 0x00050000")
    _start(bench, [*_copy(arena + 256, model, 16), OP_STOP])
    assert bench.wire.ask("i 3000").startswith("interrupt")
    bench.wire.ask(f"w {CMD} 2")
    for offset, value in ((QBASE, model), (QSIZE, 4), (CMD, 1)):
        bench.wire.ask(f"w {offset} {value}")
    assert bench.wire.ask("i 3000").startswith("interrupt")
    # irq_history_mask, cmd_end_reached, irq_raised
    assert int(bench.wire.ask(f"r {STATUS}"), 16) == 5 << 16 | 0x22


def test_a_reset_in_the_middle_of_a_run_is_answered(bench: Bench) -> None:
    state = bench.power_up()
    arena, _ = _addresses(bench)
    # Copies 8 MiB again and again, for some 10 s: far longer than the reset may take.
    copies = _copy(arena + 0x0100_0000, arena + 0x0200_0000, 0x0080_0000) + [OP_DMA_START, OP_DMA_WAIT] * 400
    _start(bench, [*copies, OP_STOP])
    status = int(bench.wire.ask(f"r {STATUS}"), 16)
    assert status & 1 == 1  # running
    start = time.monotonic()
    assert bench.wire.ask(f"w {RESET} 0") == "ok"
    print(f"{bench.folder}: reset in mid-run took {time.monotonic() - start:.2f} s")
    assert int(bench.wire.ask(f"r {STATUS}"), 16) == 0
    assert bench.wire.ask("t 3").endswith(", 0 wrong")
    assert "starting afresh" in (bench.folder / "target" / "npu.log").read_text(encoding="utf-8")

    _start(bench, [OP_STOP])
    assert bench.wire.ask("i 3000").startswith("interrupt")
    assert bench.wait_until(lambda s: s.running).npu_pid == state.npu_pid


# Command words: the opcode, and the parameter from bit 16 on. 0x4000 says that a payload follows.
OP_STOP, OP_DMA_START, OP_DMA_WAIT = 0x0000, 0x0010, 0x0011
DMA0_SRC_REGION, DMA0_DST_REGION = 0x0130, 0x0131
DMA0_SRC, DMA0_DST, DMA0_LEN = 0x4030, 0x4031, 0x4032


def _copy(source: int, destination: int, size: int) -> list[int]:
    addresses = [DMA0_SRC, source, DMA0_DST, destination, DMA0_LEN, size]
    return [DMA0_SRC_REGION, DMA0_DST_REGION | 1 << 16, *addresses, OP_DMA_START, OP_DMA_WAIT]


def _addresses(bench: Bench) -> tuple[int, int]:
    words = bench.wire.ask("m").split()
    return int(words[3], 16), int(words[1], 16)


def _start(bench: Bench, stream: list[int]) -> None:
    """Write a stream to word 128 of the arena, reset the NPU, and let it run the stream."""
    arena, _ = _addresses(bench)
    for index, word in enumerate(stream):
        bench.wire.send(f"p {128 + index} {word}")
    for _ in stream:
        assert bench.wire.read_line() == "ok"
    for offset, value in ((RESET, 0), (QBASE, arena + 512), (QSIZE, 4 * len(stream)), (CMD, 1)):
        assert bench.wire.ask(f"w {offset} {value}") == "ok"
