"""Canonical forms of values, so that rows of different engines can be compared: written without a
look at culvert's own converters, from what the servers' manuals say.

A column of either engine is a Column: its name, its kind, and what it is besides. `form(source,
target)` gives two functions, one a side, whose results must be equal for every row. A target that
keeps a value as text has to keep the source's own text.
"""
import functools
import ipaddress
import json
import re
import struct
import uuid
from collections import namedtuple

# engine: postgresql, mysql, mariadb; type: as its catalogue writes it
Column = namedtuple("Column", "engine name kind type")

PG_KINDS = {
    "boolean": "bool", "smallint": "number", "integer": "number", "bigint": "number",
    "numeric": "number", "oid": "number", "real": "float4", "double precision": "float8",
    "money": "money", "text": "text", "character varying": "text", "character": "text",
    "name": "text", "citext": "text", "bytea": "bytes", "bit": "bits", "bit varying": "bits",
    "date": "date", "time without time zone": "time", "time with time zone": "timetz",
    "timestamp without time zone": "datetime", "timestamp with time zone": "datetime",
    "interval": "interval", "json": "json", "jsonb": "json", "uuid": "uuid", "inet": "inet",
}
MY_KINDS = {
    "tinyint": "number", "smallint": "number", "mediumint": "number", "int": "number",
    "bigint": "number", "decimal": "number", "float": "float4", "double": "float8",
    "bit": "bits", "char": "text", "varchar": "text", "tinytext": "text", "text": "text",
    "mediumtext": "text", "longtext": "text", "enum": "text", "set": "set", "binary": "bytes",
    "varbinary": "bytes", "tinyblob": "bytes", "blob": "bytes", "mediumblob": "bytes",
    "longblob": "bytes", "date": "date", "datetime": "datetime", "timestamp": "datetime",
    "time": "time", "year": "number", "json": "json", "uuid": "uuid", "inet4": "inet",
    "inet6": "inet", "geometry": "geometry", "point": "geometry", "linestring": "geometry",
    "polygon": "geometry", "multipoint": "geometry", "multilinestring": "geometry",
    "multipolygon": "geometry", "geometrycollection": "geometry", "geomcollection": "geometry",
    "vector": "bytes",
}


def pg_column(name, type):
    """`type`: what format_type says."""
    plain = re.sub(r"\(.*?\)", "", type).strip()
    kind = "array" if type.endswith("[]") else PG_KINDS.get(plain, "text")
    return Column("postgresql", name, kind, type)


def my_column(engine, name, data_type, column_type, json_checked=False):
    kind = "json" if json_checked else MY_KINDS[data_type]
    return Column(engine, name, kind, column_type)


@functools.lru_cache(maxsize=100000)
def number(text):
    """By value: no sign of zero, no zeros in front or behind the point."""
    text = str(text)
    if text.isdecimal() and text[0] != "0" or text == "0":
        return text
    if text.lower() in ("nan", "infinity", "-infinity"):
        return text.lower()
    match = re.fullmatch(r"([+-]?)0*(\d*)(?:\.(\d*?)0*)?(?:[eE]([+-]?\d+))?", text)
    if not match:
        return "not a number: " + text
    sign, whole, part, exponent = match.groups()
    if exponent:
        return number(shift(sign + whole, part or "", int(exponent)))
    value = (whole or "0") + ("." + part if part else "")
    return value if sign != "-" or not value.strip("0.") else "-" + value


def shift(whole, part, exponent):
    """Moves the decimal point of whole.part."""
    sign, whole = ("-", whole[1:]) if whole[:1] == "-" else ("", whole.lstrip("+"))
    digits, point = whole + part, len(whole) + exponent
    if point <= 0:
        return f"{sign}0.{'0' * -point}{digits}"
    digits = digits.ljust(point, "0")
    return f"{sign}{digits[:point]}.{digits[point:]}"


def money(text):
    return number(text.replace("$", "").replace(",", ""))


def boolean(text):
    return {"true": "1", "t": "1", "false": "0", "f": "0"}.get(str(text), str(text))


def float8(text):
    """Without a sign of zero, which MariaDB does not keep."""
    return repr(float(text) + 0.0)


def float4(text):
    value = float(text) + 0.0
    try:
        return repr(struct.unpack("f", struct.pack("f", value))[0])
    except OverflowError:
        return repr(value)


def raw_bytes(value):
    """bytea's text, or bytes."""
    if isinstance(value, bytes):
        return value
    return bytes.fromhex(value[2:]) if value.startswith("\\x") else value.encode()


def geometry(value):
    """(SRID, WKB without it), from the MySQL family's form: SRID, then WKB."""
    return int.from_bytes(value[:4], "little"), value[4:]


def ewkb(value):
    """The same from EWKB, whose type has a flag where the SRID follows."""
    value = raw_bytes(value)
    kind = int.from_bytes(value[1:5], "little")
    if not kind & 0x20000000:
        return 0, value
    plain = (kind & ~0x20000000).to_bytes(4, "little")
    return int.from_bytes(value[5:9], "little"), value[:1] + plain + value[9:]


def bits(value):
    """As a whole number: BIT of the MySQL family comes as bytes, PostgreSQL's as digits."""
    return int.from_bytes(value, "big") if isinstance(value, bytes) else int(value or "0", 2)


@functools.lru_cache(maxsize=100000)
def moment(text):
    """Date and time with six digits, without the zone: every session is at UTC."""
    match = re.fullmatch(r"(.*?\d\d:\d\d:\d\d)(?:\.(\d+))?(?:\+00)?( BC)?", text)
    if not match:
        return text
    return f"{match[1]}.{(match[2] or '').ljust(6, '0')}{match[3] or ''}"


CLOCK = re.compile(r"([+-]?)(\d+):(\d\d):(\d\d)(?:\.(\d+))?")
PART = re.compile(r"([+-]?\d+) (year|mon|day)s?")


@functools.lru_cache(maxsize=100000)
def clock(text):
    """Microseconds of a time of any length and sign."""
    match = CLOCK.search(text)
    if not match:
        return 0
    sign, h, m, s, f = match.groups()
    value = ((int(h) * 60 + int(m)) * 60 + int(s)) * 1000000 + int((f or "").ljust(6, "0"))
    return -value if sign == "-" else value


def interval(text):
    """(months, days, microseconds), from intervalstyle postgres; also from a bare time."""
    parts = {unit: int(n) for n, unit in PART.findall(text)}
    return (parts.get("year", 0) * 12 + parts.get("mon", 0), parts.get("day", 0), clock(text))


def document(value):
    """JSON by value: no order of keys, numbers by value, the last of equal keys counts."""
    text = value.decode() if isinstance(value, bytes) else value
    return tidy(json.loads(text, parse_float=Number, parse_int=Number))


class Number(str):
    """A JSON number's text, told apart from a string."""


def tidy(value):
    if isinstance(value, dict):
        return ("object", tuple(sorted((k, tidy(v)) for k, v in value.items())))
    if isinstance(value, list):
        return ("array", tuple(tidy(v) for v in value))
    if isinstance(value, Number):
        return ("number", number(value))
    return (type(value).__name__, value)


def address(text):
    try:
        return str(ipaddress.ip_interface(text)) if "/" in text else str(ipaddress.ip_address(text))
    except ValueError:
        return text


def identifier(value):
    return str(uuid.UUID(bytes=value) if isinstance(value, bytes) else uuid.UUID(value))


def text(value):
    return value.decode("utf-8", "backslashreplace") if isinstance(value, bytes) else str(value)


def members(value):
    """A SET: its members in their order; of a PostgreSQL array, those of the literal."""
    value = text(value)
    if value.startswith("{"):
        return tuple(array(value))
    return tuple(value.split(",")) if value else ()


def array(value):
    """A PostgreSQL array literal, without bounds, as nested tuples of text and None."""
    value = re.sub(r"^(\[[-\d:]+\])+=", "", value)
    result, rest = _array(value)
    assert rest == "", value
    return result


def _array(value):
    items, value = [], value[1:]
    while value[:1] != "}":
        if value[0] == "{":
            item, value = _array(value)
        elif value[0] == '"':
            quoted = re.match(r'"((?:[^"\\]|\\.)*)"', value, re.S)
            item, value = re.sub(r"\\(.)", r"\1", quoted[1], flags=re.S), value[quoted.end():]
        else:
            plain = re.match(r"[^,}]*", value)[0]
            item, value = None if plain.upper() == "NULL" else plain, value[len(plain):]
        items.append(item)
        value = value[1:] if value[:1] == "," else value
    return tuple(items), value[1:]


def listed(value):
    """A JSON array's elements as the array literal would have them; numbers by their digits."""
    def one(v):
        if isinstance(v, list):
            return tuple(one(x) for x in v)
        if v is None or isinstance(v, str):
            return v
        return {True: "t", False: "f"}.get(v) if isinstance(v, bool) else json.dumps(v)
    return one(json.loads(text(value), parse_float=Number, parse_int=Number))


FORMS = {"number": number, "float4": float4, "float8": float8, "money": money, "bool": boolean,
         "text": text, "bytes": raw_bytes, "bits": bits, "date": text, "time": clock,
         "timetz": text, "datetime": moment, "interval": interval, "json": document,
         "uuid": identifier, "geometry": geometry, "inet": address, "set": members, "array": array}
# Where the two kinds differ and neither is text: how each side is read.
ACROSS = {
    ("bool", "number"): (boolean, number), ("number", "bool"): (number, boolean),
    ("bits", "number"): (bits, int), ("number", "bits"): (int, bits),
    ("bits", "bool"): (lambda v: str(bits(v)), boolean),
    ("bool", "bits"): (boolean, lambda v: str(bits(v))),
    ("bits", "bytes"): (bits, bits),
    ("money", "number"): (money, number),
    ("float4", "float8"): (float4, float4), ("float8", "float4"): (float8, float8),
    ("float4", "number"): (number, number), ("float8", "number"): (number, number),
    ("time", "interval"): (lambda v: (0, 0, clock(v)), interval),
    ("interval", "time"): (interval, lambda v: (0, 0, clock(v))),
    ("uuid", "bytes"): (identifier, identifier),
    ("set", "array"): (members, members),
    ("geometry", "bytes"): (geometry, ewkb),
    ("array", "json"): (array, listed),
    ("date", "datetime"): (lambda v: v + " 00:00:00.000000", moment),
}


def form(source, target):
    """Two functions, for the source's and the target's value (never None). Of the same type of the
    same engine every byte counts."""
    if (source.engine, source.type) == (target.engine, target.type):
        return bytewise, bytewise
    if source.kind == target.kind:
        return FORMS[source.kind], FORMS[target.kind]
    if (source.kind, target.kind) in ACROSS:
        return ACROSS[source.kind, target.kind]
    if target.kind == "text":
        return as_text(source)
    if source.kind == "text" and target.kind in ("json", "uuid", "inet", "bytes"):
        return FORMS[target.kind], FORMS[target.kind]
    raise AssertionError(f"{source.name}: {source.type} became {target.type}, which is not "
                         "something to compare with")


def bytewise(value):
    return value


def as_text(source):
    """The target keeps text: the source's rules read both, and what has no rule is text."""
    if source.kind in ("number", "money"):
        return text, lambda v: text(v)
    read = FORMS[source.kind]
    return read, read
