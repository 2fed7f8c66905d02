"""Types of the MySQL family and their edge values: (type, values as SQL, may be a key). Each value
has a place in PostgreSQL; what has none is in test_my_values.py."""


def text(value):
    return "'" + value.replace("\\", "\\\\").replace("'", "''") + "'"


def texts(*values):
    return [text(v) for v in values]


def integers(low, high):
    return [str(low), "0", "1", str(high)]


def fractions(whole, digits):
    """The same moment with 0 to 6 digits of fraction."""
    return text(whole + ("." + "9" * digits if digits else ""))


TYPES = [
    ("tinyint", integers(-128, 127), True),
    ("tinyint(1)", ["0", "1"], True),
    ("tinyint unsigned", ["0", "255"], True),
    ("smallint", integers(-2 ** 15, 2 ** 15 - 1), True),
    ("smallint unsigned", ["0", "65535"], True),
    ("mediumint", integers(-2 ** 23, 2 ** 23 - 1), True),
    ("mediumint unsigned", ["0", "16777215"], True),
    ("int", integers(-2 ** 31, 2 ** 31 - 1), True),
    ("int unsigned", ["0", "4294967295"], True),
    ("int(8) unsigned zerofill", ["0", "42", "4294967295"], True),
    ("bigint", integers(-2 ** 63, 2 ** 63 - 1), True),
    ("bigint unsigned", ["0", "9223372036854775808", "18446744073709551615"], True),
    ("decimal(65,30)", ["0", "-" + "9" * 35 + "." + "9" * 30, "9" * 35 + "." + "9" * 30,
                        "0." + "0" * 29 + "1", "1.10"], True),
    ("decimal(65,0)", ["0", "9" * 65, "-" + "9" * 65], True),
    ("decimal(10,2) unsigned", ["0", "99999999.99", "0.10"], True),
    ("decimal(30,30)", ["0", "0." + "9" * 30, "-0." + "9" * 30], True),
    ("decimal(9,9)", ["0.123456789", "-0.000000001"], True),
    ("decimal(5,0)", ["12345", "-1"], True),
    ("float", ["0", "0.1", "3.402823466e38", "-3.402823466e38", "1.17549435e-38", "1.4e-45", "16777217",
               "123456.789"], False),
    ("float unsigned", ["0", "0.1", "3.402823466e38"], False),
    ("float(7,3)", ["0", "1234.567", "-0.001"], False),
    ("double", ["0", "0.1", "1.7976931348623157e308", "-1.7976931348623157e308", "2.2250738585072014e-308",
                "5e-324", "0.30000000000000004", "9007199254740993", "1e15", "1e16", "123456789012345680000"], False),
    ("double(20,4)", ["0", "-1234567890.1234"], False),
    ("bit(1)", ["b'0'", "b'1'"], True),
    *((f"bit({n})", ["b'0'", "b'1'", f"b'{'1' * n}'", f"b'1{'0' * (n - 1)}'"], True)
      for n in (7, 8, 9, 33, 63, 64)),
    ("date", texts("1000-01-01", "0001-01-01", "9999-12-31", "1970-01-01", "2024-02-29", "1582-10-10"), True),
    *((f"datetime({n})", [text("1000-01-01 00:00:00"), fractions("9999-12-31 23:59:59", n),
                          fractions("1969-12-31 23:59:59", n), fractions("2024-03-31 02:30:00", n)], True)
      for n in range(7)),
    *((f"timestamp({n}) null", [text("1970-01-01 00:00:01"), fractions("2038-01-19 03:14:07", n),
                                fractions("2024-11-03 05:30:00", n)], False)
      for n in range(7)),
    *((f"time({n})", [text("-838:59:59"), text("838:59:59"), text("00:00:00"), fractions("-00:00:01", n),
                      fractions("23:59:59", n), text("24:00:00"), fractions("-100:00:00", n), text("-00:00:01")],
       False) for n in range(7)),
    ("year", ["1901", "2155", "1970", "0"], True),
    ("enum('sad','ok','a,b','Ünï','it''s','日本')", texts("sad", "ok", "a,b", "Ünï", "it's", "日本"), True),
    ("enum('','x')", texts("", "x"), True),
    (f"enum({','.join(text(f'm{n}') for n in range(300))})", texts("m0", "m254", "m255", "m299"), True),
    ("set('a','b','c d','Ünï','日本')", texts("", "a", "a,b", "a,b,c d,Ünï,日本", "日本"), False),
    (f"set({','.join(text(f'm{n}') for n in range(64))})",
     [text(""), text("m0"), text("m63"), text(",".join(f"m{n}" for n in range(64)))], False),
    ("binary(4)", ["x'61'", "x'61000000'", "x'ff00ff00'", "x'20202020'", "x'00000001'"], False),
    ("binary(16)", ["x'000102030405060708090a0b0c0d0e00'", "x'00'"], True),
    ("varbinary(5)", ["x''", "x'00'", "x'6100'", "x'ff5c27220a'", "x'61'"], True),
    ("varbinary(300)", ["x''", f"x'{'00ff' * 150}'"], False),
    ("tinyblob", ["x''", "x'00'", f"x'{'5c27' * 100}'"], False),
    ("blob", ["x''", "x'0000'", f"x'{'00ff0d0a' * 10000}'"], False),
    ("mediumblob", ["x''", "repeat(x'00c3', 70000)"], False),
    ("longblob", ["x''", "repeat(x'ff00', 40000)"], False),
    ("tinytext", texts("", "é😀"), False),
    ("text", texts("", "x", " two  ", "NULL", "\\N", "\\.", "a\tb\nc\rd\be\ff\vg\\h", "é😀\u200d\ufeff", "'\"`;--",
                   "\x01\x7f\x1a", "x" * 60000), False),
    ("mediumtext", ["''", "repeat('é', 70000)"], False),
    ("longtext", ["''", "repeat('😀', 30000)"], False),
    ("char(5)", texts("", "ab", "é😀", "  x", "abcde"), True),
    ("char(255)", texts("", "é" * 255), False),
    ("varchar(5)", texts("", "abcde", "é😀  ", " "), False),
    ("varchar(300)", texts("", "é" * 300, "x" * 255, "x" * 256), False),
    ("varchar(10) collate utf8mb4_bin", texts("a", "A", "é", "e"), True),
    ("json", texts('{"b": 1, "a": 1.0}', "null", "[]", "{}", "1.0", "1", "true", '"é😀\\""', '{"": {"": [null, {}]}}',
                   "123456789012345678901234567890.00001", "[1, 2.50, 1e3]"), False),
    ("geometry", ["st_geomfromtext('POINT(1 2)')", "st_geomfromtext('LINESTRING(0 0,1 1,2 0.1)', 4326)",
                  "st_geomfromtext('GEOMETRYCOLLECTION(POINT(1 1),LINESTRING(0 0,1 1))')"], False),
    ("point", ["point(0.1, -1e300)"], False),
    ("polygon", ["st_geomfromtext('POLYGON((0 0,10 0,10 10,0 0),(1 1,2 1,2 2,1 1))')"], False),
]

MARIADB = [
    ("uuid", texts("00000000-0000-0000-0000-000000000000", "ffffffff-ffff-ffff-ffff-ffffffffffff",
                   "123e4567-e89b-12d3-a456-426655440000"), True),
    ("inet4", texts("0.0.0.0", "255.255.255.255", "10.0.0.1"), True),
    ("inet6", texts("::", "::1", "2001:db8::ff00:42:8329", "::ffff:1.2.3.4",
                    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff"), True),
    ("varchar(1000) compressed", texts("", "x", "abc" * 300), False),
    ("text compressed", texts("", "é", "abc" * 3000), False),
    ("blob compressed", ["x''", "x'00'", "repeat(x'00ff', 5000)"], False),
]


def of_charset(charset, *values):
    for type in ("char(8)", "varchar(20)", "text"):
        yield f"{type} character set {charset}", texts(*values), False
    # MariaDB itself forgets the names of members with characters of four bytes: it shows '?'
    members = texts(*(v for v in values if max(v) <= "\uffff"))
    for type in ("enum", "set"):
        yield f"{type}({','.join(members)}) character set {charset}", members, False


CHARSETS = [row for charset, values in {
    "utf8mb4": ("é", "😀", "日本", "x"),
    "utf8mb3": ("é", "日本", "x"),
    "latin1": ("é", "ÿ", "€", "x"),
    "latin2": ("ő", "Ž", "x"),
    "ascii": ("x", "~"),
    "cp1251": ("Мария", "ё", "x"),
    "koi8r": ("Мария", "x"),
    "greek": ("αβγ", "x"),
    "hebrew": ("שלום", "x"),
    "ucs2": ("é", "日本", "x"),
    "utf16": ("é", "😀", "日本", "x"),
    "utf16le": ("é", "😀", "日本", "x"),
    "utf32": ("é", "😀", "x"),
    "gbk": ("中文", "誠", "x"),
    "gb2312": ("中文", "x"),
    "big5": ("中文", "功", "x"),
    "sjis": ("日本", "ｱｲ", "表", "x"),
    "cp932": ("日本", "①", "ソ", "x"),
    "ujis": ("日本", "ｱ", "x"),
    "euckr": ("한국", "x"),
    "cp850": ("é", "x"),
    "macroman": ("é", "x"),
}.items() for row in of_charset(charset, *values)]
