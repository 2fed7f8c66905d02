"""Where tests and benchmarks run: here, or, as root, as the postgres user in a copy, since the
servers refuse root and the checkout may lie where only root can look."""
import os
import shutil
import subprocess
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "build")
SANITIZER = BUILD.partition("-")[2]  # of build-asan and so on


def room_in_memory():
    try:
        s = os.statvfs("/dev/shm")
        return s.f_bavail * s.f_frsize > 2 << 30
    except OSError:
        return False


class Stage:
    """Where the tests run: here, or as another user in a copy."""

    def __init__(self):
        base = "/dev/shm" if room_in_memory() else "/tmp"
        self.folder = tempfile.mkdtemp(prefix="culvert-", dir=base)
        self.prefix = []
        self.top = TOP
        if os.geteuid() == 0:
            self._copy()
        self.environment = {**os.environ, "TMPDIR": self.folder, "BUILD": BUILD,
                            "CULVERT_TOP": self.top, "PYTHONDONTWRITEBYTECODE": "1",
                            **self._sanitizer()}

    def _sanitizer(self):
        if not SANITIZER:
            return {}
        more = f"log_path={self.folder}/sanitizer:print_stacktrace=1"
        quiet = os.path.join(self.top, "tests", "tools", SANITIZER + ".supp")
        if os.path.exists(quiet):
            more += ":suppressions=" + quiet
        return {"CULVERT_SANITIZER": SANITIZER, f"{SANITIZER.upper()}_OPTIONS": more}

    def reports(self):
        """What the sanitizer had to say."""
        for name in sorted(os.listdir(self.folder)):
            if name.startswith("sanitizer."):
                with open(os.path.join(self.folder, name), errors="replace") as f:
                    yield f.read()

    def _copy(self):
        self.top = os.path.join(self.folder, "top")
        for part in ("tests", "conf", "systemd", "proto", "README.md", "Makefile"):
            source = os.path.join(TOP, part)
            if os.path.isdir(source):
                shutil.copytree(source, os.path.join(self.top, part))
            elif os.path.exists(source):
                os.makedirs(self.top, exist_ok=True)
                shutil.copy2(source, self.top)
        build = os.path.join(self.top, BUILD)
        for path in self._binaries():
            to = os.path.join(build, os.path.relpath(path, os.path.join(TOP, BUILD)))
            os.makedirs(os.path.dirname(to), exist_ok=True)
            shutil.copy2(path, to)
        subprocess.run(["chown", "-R", "postgres:", self.folder], check=True)
        # root's own PATH may name folders that others cannot look into
        self.prefix = ["runuser", "-u", "postgres", "--", "env", "PATH=/usr/local/bin:/usr/bin:/bin"]

    @staticmethod
    def _binaries():
        for folder, _, names in os.walk(os.path.join(TOP, BUILD)):
            for name in names:
                path = os.path.join(folder, name)
                if os.access(path, os.X_OK) and "." not in name:
                    yield path

    def run(self, command, here=False, **environment):
        """In the stage, or `here`: as ourselves, in the checkout."""
        return subprocess.run([*([] if here else self.prefix), *command],
                              cwd=TOP if here else self.top, stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                              errors="replace", env={**self.environment, **environment})

    def close(self):
        shutil.rmtree(self.folder, ignore_errors=True)
