import os
import sys
import tempfile
import zlib

import pytest

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

from harness.compare_cross import compare_across  # noqa: E402
from harness.daemon import Culvert  # noqa: E402
from harness.faults import Faults  # noqa: E402
from harness.servers import Postgres  # noqa: E402
from harness.servers_my import MariaDB  # noqa: E402

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))


def pytest_configure(config):
    config.addinivalue_line("markers", "long: only in make check-all")


@pytest.fixture(scope="session")
def folder():
    with tempfile.TemporaryDirectory(prefix="cv") as f:
        yield f


@pytest.fixture(scope="session")
def pg_source(folder):
    server = Postgres(folder, "src").start()
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def pg_target(folder):
    server = Postgres(folder, "dst").start()
    yield server
    server.destroy()


# Parameters of fixtures that do the same under other circumstances.
VARIANTS = ("pg", "my", "FULL", "NO_LOG", "copy", "stream")


def directions_of(item):
    callspec = getattr(item, "callspec", None)
    return [v for v in callspec.params.values() if v in SERVERS or v in VARIANTS] if callspec else []


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """A test of several directions, or variants, runs in one of them in `make check`, another one for each test; in
    all of them in `make check-all`."""
    families = {}
    for item in items:
        direction = directions_of(item)
        if direction and not item.get_closest_marker("long"):
            parts = item.callspec.id.split("-")
            same = "-".join("*" if p in VARIANTS else p for p in parts)
            families.setdefault(f"{item.nodeid.split('[')[0]}[{same}]", []).append(item)
    for rest, family in families.items():
        chosen = zlib.crc32(rest.encode()) % len(family)
        for i, item in enumerate(family):
            if i != chosen:
                item.add_marker(pytest.mark.long)


class Pair:
    """A database of the same name on both servers, and least-privilege roles on each."""

    def __init__(self, source, target, name):
        self.source, self.target, self.name = source, target, name
        for server in (source, target):
            server.run(f"create database {name}")

    def sql(self, text, *values):
        return self.source.run(text, *values, db=self.name)

    def target_sql(self, text, *values):
        return self.target.run(text, *values, db=self.name)

    def grant(self, schemas="public", name="shop", **more):
        """The roles of conf/: what culvert needs and no more, on the tables that are there now."""
        variables = {"role": "culvert", "database": self.name, "schemas": schemas, **more}
        for server, file, also in ((self.source, "postgresql-source.sql", {"publication": f"culvert_{name}"}),
                                   (self.target, "postgresql-target.sql", {})):
            arguments = [x for k, v in {**variables, **also}.items() for x in ("-v", f"{k}={v}")]
            server.psql(self.name, *arguments, "-f", os.path.join(TOP, "conf", file))

    def least(self, **more):
        """A configuration with those roles."""
        self.grant()
        return self.config("culvert", **more)

    def config(self, user="postgres", source_port=None, target_port=None, **sections):
        config = {"source": {"uri": self.source.uri(self.name, user, source_port)},
                  "target": {"uri": self.target.uri(self.name, user, target_port)}}
        for section, keys in sections.items():
            config.setdefault(section, {}).update(keys)
        return config

    def drop(self):
        for server in (self.source, self.target):
            if not server.running():
                server.start()
            self._drop_pg(server)

    def _drop_pg(self, server):
        server.run("select pg_terminate_backend(active_pid, 5000) from pg_replication_slots "
                   "where database = %s and active", self.name)
        server.run("select pg_drop_replication_slot(slot_name) from pg_replication_slots "
                   "where database = %s", self.name)
        self._drop_origins(server)
        server.run(f"drop database if exists {self.name} with (force)")

    def _drop_origins(self, server):
        """They belong to the whole server, and each holds one of max_replication_slots."""
        server.run("select pg_terminate_backend(pid, 5000) from pg_stat_activity where datname = %s",
                   self.name)
        if server.run("select to_regclass('culvert.checkpoint') is not null", db=self.name)[0][0]:
            server.run("select pg_replication_origin_drop(roname) from pg_replication_origin where "
                       "roname in (select origin from culvert.checkpoint)", db=self.name)


_count = 0


@pytest.fixture
def pair(pg_source, pg_target):
    global _count
    _count += 1
    p = Pair(pg_source, pg_target, f"db{_count}")
    yield p
    p.drop()


@pytest.fixture(scope="session")
def my_source(folder):
    server = MariaDB(folder, "msrc").start()
    yield server
    server.destroy()


@pytest.fixture(scope="session")
def my_target(folder):
    server = MariaDB(folder, "mdst").start()
    yield server
    server.destroy()


class Cross(Pair):
    """The same between engines: at least one side is of the MySQL family."""

    def grant(self, schemas="public", name="shop", **more):
        for side in ("source", "target"):
            server = getattr(self, side)
            if is_my(server):
                self._grant_my(server, side)
            else:
                self._grant_pg(server, side, schemas, name, **more)

    def _grant_pg(self, server, side, schemas, name, **more):
        variables = {"role": "culvert", "database": self.name, "schemas": schemas, **more}
        if side == "source":
            variables["publication"] = f"culvert_{name}"
        arguments = [x for k, v in variables.items() for x in ("-v", f"{k}={v}")]
        server.psql(self.name, *arguments, "-f", os.path.join(TOP, "conf", f"postgresql-{side}.sql"))

    def _grant_my(self, server, side):
        with open(os.path.join(TOP, "conf", f"mysql-{side}.sql")) as f:
            server.client(None, input=f"set @role = 'culvert', @host = '127.0.0.1', "
                                      f"@database = '{self.name}';\n" + f.read())
        server.run("alter user culvert@'127.0.0.1' identified by '' account unlock")

    def config(self, user=None, source_port=None, target_port=None, **sections):
        config = {}
        for side, port in (("source", source_port), ("target", target_port)):
            server = getattr(self, side)
            admin = "root" if is_my(server) else "postgres"
            config[side] = {"uri": server.uri(self.name, user or admin, port)}
        for section, keys in sections.items():
            config.setdefault(section, {}).update(keys)
        return config

    def compare(self, names=None, only=None):
        return compare_across(self.source, self.target, self.name, names=names, only=only)

    def qualified(self, table, side="source"):
        """schema.table, as patterns and errors name it."""
        return f"{self.name if is_my(getattr(self, side)) else 'public'}.{table}"

    def names(self, table):
        """Both names of a table: errors of the target may use its own."""
        return self.qualified(table), self.qualified(table, "target")

    def drop(self):
        for server in (self.source, self.target):
            if not server.running():
                server.start()
        for server in (self.source, self.target):
            if is_my(server):
                server.run(f"drop database if exists `{self.name}`; drop database if exists culvert")
                server.run("drop user if exists culvert@'127.0.0.1'")
            else:
                self._drop_pg(server)


def is_my(server):
    return hasattr(server, "engine")


DIRECTIONS = {"my-pg": ("my_source", "pg_target"), "pg-my": ("pg_source", "my_target"),
              "my-my": ("my_source", "my_target")}
SERVERS = {**DIRECTIONS, "pg-pg": ("pg_source", "pg_target")}


def make_cross(request, direction):
    global _count
    _count += 1
    source, target = (request.getfixturevalue(name) for name in SERVERS[direction])
    c = Cross(source, target, f"x{_count}")
    c.direction = direction
    return c


@pytest.fixture(params=list(DIRECTIONS))
def cross(request):
    """A database on two servers, in each direction that has the MySQL family in it."""
    c = make_cross(request, request.param)
    yield c
    c.drop()


@pytest.fixture(params=["my-pg", "my-my"])
def from_my(request):
    """Those with a MySQL-family source."""
    c = make_cross(request, request.param)
    yield c
    c.drop()


@pytest.fixture(params=["pg-my", "my-my"])
def to_my(request):
    """Those with a MySQL-family target."""
    c = make_cross(request, request.param)
    yield c
    c.drop()


def make_way(request, direction):
    if direction == "pg-pg":
        yield request.getfixturevalue("pair")
        return
    c = make_cross(request, direction)
    yield c
    c.drop()


@pytest.fixture(params=["pg-pg", *DIRECTIONS])
def every_way(request):
    """A pair or a cross, in all four directions."""
    yield from make_way(request, request.param)


@pytest.fixture(params=["pg-pg", "my-my", pytest.param("my-pg", marks=pytest.mark.long),
                        pytest.param("pg-my", marks=pytest.mark.long)])
def way(request):
    """The same; in make check each engine once at each end."""
    yield from make_way(request, request.param)


@pytest.fixture(params=["pg-pg", "my-my"])
def alike(request):
    """Those with one engine on both sides."""
    yield from make_way(request, request.param)


@pytest.fixture
def faults(folder):
    """Below culvertd: culvert(...).start(**faults.environment)."""
    if "CULVERT_SANITIZER" in os.environ:
        pytest.skip("a sanitizer has the same calls")
    f = Faults(os.path.join(folder, f"faults{_count}"))
    yield f
    f.close()


@pytest.fixture
def culvert(folder, request):
    """Makes pipelines: culvert(config, name="shop"). Their logs are shown when the test fails."""
    made = []

    def make(config, name="shop"):
        c = Culvert(os.path.join(folder, f"t{_count}"), name, config)
        made.append(c)
        return c

    yield make
    for c in made:
        c.destroy()
        if getattr(request.node, "failed", False):
            print(f"--- log of {c.name}\n{c.log_text()[-8000:]}")


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    report = (yield).get_result()
    if report.failed:
        item.failed = True
