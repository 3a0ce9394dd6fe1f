from pathlib import Path

from energy_portal.embedded.processes import available_memory_bytes


class TestAvailableMemory:
    def test_is_what_a_control_group_leaves_of_the_machine(self, tmp_path: Path) -> None:
        limit = tmp_path / "memory.max"
        limit.write_text("134217728\n")

        available = available_memory_bytes(limit)

        assert available == 128 * 2**20

    def test_is_the_machine_without_a_limit(self, tmp_path: Path) -> None:
        unlimited = tmp_path / "memory.max"
        unlimited.write_text("max\n")

        assert available_memory_bytes(unlimited) == available_memory_bytes(tmp_path / "missing") > 2**28
