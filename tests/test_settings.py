import re
from pathlib import Path


class TestTheExampleEnvironment:
    def test_names_every_variable_that_the_settings_read(self):
        root = Path(__file__).resolve().parent.parent
        read = set()
        for path in (root / "energy_portal" / "settings").glob("*.py"):
            read |= set(re.findall(r'env\.\w+\(\s*"([A-Z_]+)"', path.read_text()))

        assert read == set(re.findall(r"^#?([A-Z_]+)=", (root / ".env.example").read_text(), re.MULTILINE))
