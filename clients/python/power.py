"""A disk whose power can be cut: an ext4 file system in a file, mounted through a loop device.

EXT4_IOC_SHUTDOWN with the flag for "do not flush the journal" throws away what was not flushed, as a power cut does; a mere
`kill -9` of a process does not, because the page cache survives it. Needs root and loop devices.
"""

import atexit
import fcntl
import os
import pathlib
import shutil
import struct
import subprocess

EXT4_IOC_SHUTDOWN = 0x8004587D
WITHOUT_FLUSHING_THE_JOURNAL = 2
SIZE_BYTES = 2 << 30


class CannotRun(Exception):
    """This machine cannot cut the power of a file system; the text says why."""


class Disk:
    """An ext4 of its own at `mount_point`, within `folder`. Close it, whatever happens."""

    def __init__(self, folder):
        if os.geteuid() != 0:
            raise CannotRun("power cuts need root, to mount a file system and shut it down")
        for tool in ("mkfs.ext4", "mount", "umount", "losetup"):
            if not shutil.which(tool, path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin"):
                raise CannotRun(f"power cuts need {tool}: apt-get install e2fsprogs mount")
        folder = pathlib.Path(folder)
        self.image, self.mount_point = folder / "disk.ext4", folder / "disk"
        self.mount_point.mkdir(parents=True, exist_ok=True)
        self._unmount()  # what a run that was killed may have left
        with open(self.image, "wb") as image:
            image.truncate(SIZE_BYTES)
        _run("mkfs.ext4", "-q", "-F", str(self.image))
        atexit.register(self.close)
        self.mount()

    def mount(self):
        """Mount; the loop device goes away by itself with the mount."""
        _run("mount", "-t", "ext4", "-o", "loop", str(self.image), str(self.mount_point))

    def cut(self):
        """Cut the power: from here on the file system writes nothing, and what was not flushed is gone."""
        mounted = os.open(self.mount_point, os.O_RDONLY)
        try:
            fcntl.ioctl(mounted, EXT4_IOC_SHUTDOWN, struct.pack("I", WITHOUT_FLUSHING_THE_JOURNAL))
        finally:
            os.close(mounted)

    def restore(self):
        """Power is back: unmount what is left and mount anew, which replays the journal. Nobody may have a file open on it."""
        _run("umount", str(self.mount_point))
        self.mount()

    def close(self):
        """Unmount and delete."""
        atexit.unregister(self.close)
        self._unmount()
        self.image.unlink(missing_ok=True)

    def _unmount(self):
        if not os.path.ismount(self.mount_point):
            return
        if subprocess.run(["umount", str(self.mount_point)], capture_output=True).returncode != 0:
            # Somebody still has a file open on it: out of the tree now, gone as soon as that ends.
            subprocess.run(["umount", "--lazy", str(self.mount_point)], capture_output=True)


def _run(*command):
    path = os.environ.get("PATH", "") + ":/usr/sbin:/sbin"
    done = subprocess.run(command, capture_output=True, text=True, env={**os.environ, "PATH": path})
    if done.returncode != 0:
        raise CannotRun(f"{' '.join(command)}: {done.stderr.strip() or done.stdout.strip()}")
