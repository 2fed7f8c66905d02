"""make install into a staging folder: what lies where, with which mode, and fit for systemd."""
import os
import re
import shutil
import subprocess

import pytest

from harness.daemon import BUILD, TOP

FILES = {
    "{prefix}/bin/culvertctl": 0o755,
    "{prefix}/sbin/culvertd": 0o755,
    "{prefix}/lib/systemd/system/culvert@.service": 0o644,
    "{prefix}/lib/systemd/system/culvert.target": 0o644,
    "{prefix}/lib/sysusers.d/culvert.conf": 0o644,
    "{prefix}/lib/tmpfiles.d/culvert.conf": 0o644,
    "/usr/lib/systemd/catalog/culvert.catalog": 0o644,
    "{prefix}/share/man/man8/culvertd.8": 0o644,
    "{prefix}/share/man/man1/culvertctl.1": 0o644,
}


@pytest.mark.parametrize("prefix", ["/usr", "/usr/local"])
def test_staged_files(tmp_path, prefix):
    """-o all: what is built is taken as it is."""
    stage = tmp_path / "stage"
    arguments = [] if prefix == "/usr/local" else [f"PREFIX={prefix}"]
    subprocess.run(["make", "-s", "-C", TOP, "-o", "all", "install", f"BUILD={BUILD}",
                    f"DESTDIR={stage}", *arguments], check=True, umask=0o077)
    found = {}
    for folder, _, names in os.walk(stage):
        for name in names:
            path = os.path.join(folder, name)
            found[path[len(str(stage)):]] = os.stat(path).st_mode & 0o777
    assert found == {name.format(prefix=prefix): mode for name, mode in FILES.items()}
    unit = (stage / (prefix + "/lib/systemd/system/culvert@.service").lstrip("/")).read_text()
    assert f"\nExecStart={prefix}/sbin/culvertd -c /etc/culvert/%i.conf\n" in unit
    assert not re.search(r"@[A-Z]+@", unit)
    for line in filter(None, map(str.strip, unit.splitlines())):
        assert re.match(r"#|;|\[\w+\]$|\w+=", line), line


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd is not installed")
def test_the_sandbox_is_tight(tmp_path):
    """systemd's own exposure score: 10 is unprotected; below 3 it says OK."""
    subprocess.run(["make", "-s", "-C", TOP, "-o", "all", "install", f"BUILD={BUILD}",
                    f"DESTDIR={tmp_path}", "PREFIX=/usr"], check=True)
    r = subprocess.run(["systemd-analyze", "security", "--offline=yes", "--threshold=25",
                        f"--root={tmp_path}", "culvert@x.service"], text=True,
                       stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    assert r.returncode == 0, r.stdout
