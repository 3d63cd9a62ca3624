"""The output of a process that still writes."""

import os
import subprocess
import tempfile

from tests.output import written


def test_reading_moves_no_place_where_the_process_writes() -> None:
    with tempfile.TemporaryFile() as file:
        for line in ("first", "second"):
            subprocess.run(["echo", line], stdout=file, check=True)
            place = os.lseek(file.fileno(), 0, os.SEEK_CUR)
            assert written(file).endswith(f"{line}\n".encode())
            assert os.lseek(file.fileno(), 0, os.SEEK_CUR) == place
        assert written(file) == b"first\nsecond\n"
