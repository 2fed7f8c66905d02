"""culvertd and culvertctl as processes."""
import json
import os
import signal
import subprocess

from .until import until

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("BUILD", "build")
BUILD = BUILD if os.path.isabs(BUILD) else os.path.join(TOP, BUILD)


class Refused(AssertionError):
    """culvertctl or culvertd ended with another status than the test expects."""


class Culvert:
    """One pipeline. `config` is {section: {key: value}}; source and target URIs included."""

    def __init__(self, folder, name, config):
        self.folder = os.path.join(folder, name)
        os.makedirs(self.folder, exist_ok=True)
        self.name = name
        self.socket = os.path.join(self.folder, "ctl.sock")
        self.path = os.path.join(self.folder, name + ".conf")
        self.log = os.path.join(self.folder, "log")
        self.process = None
        self.config = {"pipeline": {"name": name, "state_dir": os.path.join(self.folder, "state"),
                                    "control_socket": self.socket}}
        for section, keys in config.items():
            self.config.setdefault(section, {}).update(keys)
        self.write()

    def write(self):
        with open(self.path, "w") as f:
            for section, keys in self.config.items():
                f.write(f"[{section}]\n")
                f.writelines(f"{key} = {value}\n" for key, value in keys.items())

    def password_file(self, side, password, mode=0o600):
        path = os.path.join(self.folder, side + ".password")
        with open(path, "w") as f:
            f.write(password + "\n")
        os.chmod(path, mode)
        self.config[side]["password_file"] = path
        self.write()

    def start(self, answer=True, limit=None, **environment):
        """limit: of file descriptors."""
        before = [] if limit is None else ["prlimit", f"--nofile={limit}:1024"]
        with open(self.log, "a") as log:
            self.process = subprocess.Popen(
                [*before, os.path.join(BUILD, "culvertd"), "-c", self.path, "--log-level", "debug"],
                stdout=log, stderr=log, stdin=subprocess.DEVNULL,
                env={**os.environ, **environment})
        if answer:
            until(self._answers, 20, "an answer of culvertd's socket")
        return self

    def _answers(self):
        if self.process.poll() is not None:
            raise Refused(f"culvertd ended with {self.process.returncode}:\n{self.log_text()}")
        return self.ctl("status", "--json", check=False).returncode == 0

    def check(self):
        """culvertd -n: (exit status, output)."""
        r = subprocess.run([os.path.join(BUILD, "culvertd"), "-n", "-c", self.path], text=True,
                           stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
        return r.returncode, r.stdout

    def client(self):
        """The command, without its arguments."""
        return [os.path.join(BUILD, "culvertctl"), "-s", self.socket]

    def ctl(self, *arguments, check=True, timeout=150):
        r = subprocess.run([*self.client(), *arguments],
                           text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                           stdin=subprocess.DEVNULL, timeout=timeout)
        if check and r.returncode:
            raise Refused(f"culvertctl {' '.join(arguments)}: {r.returncode}\n{r.stdout}{r.stderr}\n"
                          f"--- log\n{self.log_text()[-6000:]}")
        return r

    def status(self):
        return json.loads(self.ctl("status", "--json").stdout)

    def wait(self, state=None, lag=None, timeout=90):
        arguments = ["wait", "--timeout", str(timeout)]
        if state:
            arguments += ["--state", state]
        if lag is not None:
            arguments += ["--lag", str(lag)]
        self.ctl(*arguments, timeout=timeout + 30)

    def wait_error(self, text, timeout=60):
        """Until the pipeline is stopped on an error that has this in it; returns the error."""
        def stopped():
            s = self.status()
            return s["error"] if s["state"] == "stopped-on-error" else None
        error = until(stopped, timeout, "stopped-on-error")
        assert text in error["message"], error
        return error

    def kill9(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def terminate(self, timeout=20):
        """SIGTERM; returns the exit status."""
        if self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout)

    def stop(self):
        self.ctl("stop")
        assert self.process.wait(20) == 0, self.log_text()[-4000:]

    def log_text(self):
        try:
            with open(self.log) as f:
                return f.read()
        except FileNotFoundError:
            return ""

    def rss_kb(self, field="VmHWM"):
        if "CULVERT_SANITIZER" in os.environ:
            return 0  # the sanitizer's own memory would count
        with open(f"/proc/{self.process.pid}/status") as f:
            return next(int(line.split()[1]) for line in f if line.startswith(field))

    def destroy(self):
        if self.process and self.process.poll() is None:
            self.process.kill()
            self.process.wait()
