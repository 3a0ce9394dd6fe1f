import subprocess
import sys

IMPORT = (
    "import django; django.setup(); import sys; import energy_portal.shared.api;"
    "assert 'rest_framework.views' not in sys.modules"
)


class TestApiPackage:
    def test_is_imported_without_the_views_that_import_it(self):
        subprocess.run([sys.executable, "-c", IMPORT], check=True)
