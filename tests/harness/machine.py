"""A machine to boot: systemd-nspawn on a throw-away overlay of this one's root, without network.
Needs root and systemd-container. Commands run inside through nsenter."""
import os
import shutil
import signal
import socket
import subprocess

MASKED = ("postgresql.service", "postgresql@.service", "mariadb.service", "mysql.service",
          "pg_basebackup@.timer", "pg_compresswal@.timer", "pg_dump@.timer", "apt-daily.timer",
          "apt-daily-upgrade.timer", "man-db.timer", "systemd-networkd-wait-online.service")


class Machine:
    """`folder` takes the overlay: on another file system than / (in memory, usually)."""

    def __init__(self, folder, name="culvert-test"):
        self.folder, self.name = folder, name
        self.root = os.path.join(folder, "root")
        self.console = os.path.join(folder, "console")
        self.nspawn = self.leader = None
        upper, work = os.path.join(folder, "upper"), os.path.join(folder, "work")
        for d in (self.root, upper, work):
            os.mkdir(d, 0o755)
        subprocess.run(["mount", "-t", "overlay", "overlay", "-o",
                        f"lowerdir=/,upperdir={upper},workdir={work}", self.root], check=True)
        for unit in MASKED:
            self.link("/dev/null", f"/etc/systemd/system/{unit}")

    def path(self, path):
        return os.path.join(self.root, path.lstrip("/"))

    def link(self, to, path):
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        if os.path.lexists(self.path(path)):
            os.remove(self.path(path))
        os.symlink(to, self.path(path))

    def write(self, path, text, mode=0o644):
        """Into the overlay while it is not yet booted; afterwards through the machine itself."""
        if self.leader:
            self.run("sh", "-c", f"mkdir -p $(dirname {path}); cat >{path}; chmod {mode:o} {path}",
                     input=text)
            return
        os.makedirs(os.path.dirname(self.path(path)), exist_ok=True)
        with open(self.path(path), "w") as f:
            f.write(text)
        os.chmod(self.path(path), mode)

    def boot(self, timeout=120):
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as ready:
            address = os.path.join(self.folder, "ready")
            ready.bind(address)
            ready.settimeout(timeout)
            with open(self.console, "w") as console:
                # without a systemd on this side there is nobody to make a scope
                keep = [] if os.path.isdir("/run/systemd/system") else ["--keep-unit"]
                self.nspawn = subprocess.Popen(
                    ["systemd-nspawn", "--quiet", "--boot", "--private-network", "--register=no",
                     "--notify-ready=yes", *keep, f"--machine={self.name}", "-D", self.root],
                    stdin=subprocess.DEVNULL, stdout=console, stderr=console,
                    env={**os.environ, "NOTIFY_SOCKET": address})
            try:
                self.leader = self._await(ready)
            except socket.timeout:
                raise AssertionError(f"no boot within {timeout} s:\n{self.console_text()}") from None
        self.run("systemctl", "is-system-running", "--wait", check=False)  # or degraded
        return self

    def _await(self, ready):
        leader = None
        while True:
            lines = ready.recv(4096).decode().split("\n")
            leader = next((l.split("=")[1] for l in lines if l.startswith("X_NSPAWN_LEADER_PID=")),
                          leader)
            if "READY=1" in lines and leader:
                return int(leader)

    def console_text(self):
        with open(self.console, errors="replace") as f:
            return f.read()[-4000:]

    def run(self, *command, check=True, input=None, timeout=120, user=None, group=None):
        """Runs a command inside; returns its result with the text of both outputs."""
        who = ["setpriv", f"--reuid={user}", f"--regid={group or user}", "--clear-groups"] if user \
            else []
        r = subprocess.run(["nsenter", "-t", str(self.leader), "-a", "env", "-i", "LC_ALL=C.UTF-8",
                            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
                            *who, *command], text=True, input=input, timeout=timeout,
                           stdin=subprocess.DEVNULL if input is None else None,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        if check and r.returncode:
            raise AssertionError(f"{' '.join(command)}: {r.returncode}\n{r.stdout}")
        return r

    def output(self, *command, **more):
        return self.run(*command, **more).stdout.strip()

    def close(self):
        """SIGTERM asks nspawn for an orderly shutdown."""
        if self.nspawn and self.nspawn.poll() is None:
            self.nspawn.send_signal(signal.SIGTERM)
            try:
                self.nspawn.wait(30)
            except subprocess.TimeoutExpired:
                self.nspawn.kill()
                self.nspawn.wait()
        subprocess.run(["umount", "--lazy", self.root], check=False)
        shutil.rmtree(self.folder, ignore_errors=True)
