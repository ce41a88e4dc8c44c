"""A model is saved and loaded without what only POSIX has, as on Windows."""

import subprocess
import sys
from pathlib import Path

# Takes away what Windows lacks, and refuses what it refuses: to rename an open file, and to open a folder.
WITHOUT_POSIX = """
import os, sys
sys.modules.update(dict.fromkeys(["fcntl", "grp", "pty", "pwd", "resource", "termios", "tty"]))
for name in ("O_CLOEXEC", "O_NOFOLLOW", "O_NONBLOCK", "fchmod", "fchown", "fork", "register_at_fork",
             "sched_getaffinity", "sched_yield", "getuid", "geteuid"):
    if hasattr(os, name):
        delattr(os, name)
os.O_BINARY = os.O_DSYNC
rename, opened = os.replace, os.open

def replace(source, target):
    for number in os.listdir("/proc/self/fd"):
        if os.path.realpath(f"/proc/self/fd/{number}") == os.path.realpath(source):
            raise PermissionError(13, "it is open in another program", source)
    rename(source, target)

def open_file(path, flags, *rest, **more):
    if os.path.isdir(path):
        raise PermissionError(13, "it is a folder", path)
    assert flags & os.O_BINARY, path
    return opened(path, flags, *rest, **more)

os.replace, os.open = replace, open_file
import numpy as np
import fastnet
model = fastnet.Sequential([fastnet.layers.Dense(3, activation="relu"), fastnet.layers.Dense(2)])
model.compile("adam", "mse")
x = np.ones((8, 4), "f")
model.fit(x, np.ones((8, 2), "f"), epochs=2, verbose=0)
for _ in range(2):  # the second time it replaces a file
    model.save("m.safetensors")
assert (fastnet.models.load_model("m.safetensors").predict(x, verbose=0) == model.predict(x, verbose=0)).all()
model.fit(x, np.ones((8, 2), "f"), verbose=0, callbacks=[fastnet.callbacks.ModelCheckpoint("c.safetensors")])
print(sorted(os.listdir(".")))
"""


def test_a_model_is_saved_replaced_and_loaded(tmp_path: Path) -> None:
    command = [sys.executable, "-c", WITHOUT_POSIX]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "['c.safetensors', 'm.safetensors']"
