# culvert: see README.md. `make help` lists the targets.

VERSION := 0.1.0
PREFIX  ?= /usr/local
DESTDIR ?=
BUILD   ?= build
CC      ?= gcc
OPT     ?= -O2 -g
WERROR  ?=
SAN     ?=

# Resolved when first used, so that `make check` can install pkg-config before it is needed.
PKGS     = libpq libevent_core libevent_extra libsystemd libprotobuf-c libcjson libmariadb libzstd zlib
PKG_C    = $(eval PKG_C := $(shell pkg-config --cflags $(PKGS)))$(PKG_C)
PKG_L    = $(eval PKG_L := $(shell pkg-config --libs $(PKGS)))$(PKG_L)

WARN    := -Wall -Wextra -Wformat=2 -Wmissing-prototypes -Wstrict-prototypes -Wvla -Wcast-qual \
           -Wshadow -Wundef -Wpointer-arith -Wwrite-strings $(if $(WERROR),-Werror)
HARDEN  := -fstack-protector-strong -fPIE $(if $(SAN),,-D_FORTIFY_SOURCE=2)
CFLAGS_ = -std=gnu11 -D_GNU_SOURCE $(OPT) $(WARN) $(HARDEN) $(SAN) -pthread -MMD -MP -Idaemon -I. -I$(BUILD)/gen \
           -DCULVERT_VERSION='"$(VERSION)"' $(PKG_C) $(CFLAGS)
LDLIBS_ = -pthread -pie -Wl,-z,relro,-z,now $(SAN) $(PKG_L) -lm $(LDFLAGS)

LIB_SRC := $(sort $(wildcard daemon/base/*.c daemon/model/*.c daemon/spool/*.c daemon/db/*.c decoders/*.c sinks/*.c \
             daemon/flow/*.c daemon/ops/*.c daemon/ctl/*.c))
PROTO   := $(sort $(wildcard proto/*.proto))
GEN_SRC := $(PROTO:proto/%.proto=$(BUILD)/gen/%.pb-c.c)
LIB_OBJ := $(LIB_SRC:%.c=$(BUILD)/%.o) $(GEN_SRC:.c=.o)
.SECONDARY: $(GEN_SRC)

LIB     := $(BUILD)/libculvert.a

UNIT    := $(patsubst tests/unit/%.c,$(BUILD)/tests/unit/%,$(sort $(wildcard tests/unit/test_*.c)))
SIM     := $(patsubst tests/simulation/%.c,$(BUILD)/tests/simulation/%,$(sort $(wildcard tests/simulation/sim_*.c)))
DRIVE   := $(patsubst tests/drive/%.c,$(BUILD)/tests/drive/%,$(sort $(wildcard tests/drive/*.c)))
BENCH   := $(patsubst tests/bench/%.c,$(BUILD)/tests/bench/%,$(sort $(wildcard tests/bench/bench_*.c)))
PRELOAD := $(patsubst tests/preload/%.c,$(BUILD)/tests/preload/%,$(sort $(wildcard tests/preload/*.c)))
TEST_HELP := $(patsubst %.c,$(BUILD)/%.o,$(sort $(wildcard tests/support/*.c)))

.PHONY: all help packages install demo check check-all unit tests-build asan ubsan tsan lint fuzz \
        bench bench-build soak format clean

all: $(BUILD)/culvertd $(BUILD)/culvertctl

help:
	@echo 'make            build culvertd and culvertctl into $(BUILD)/'
	@echo 'make demo       migrate a sample database live between two private servers'
	@echo 'make check      all tests that need nothing but Debian packages'
	@echo 'make check-all  the above and what takes long or needs more'
	@echo 'make unit       unit tests and simulations only'
	@echo 'make soak       MINUTES=10 of load and faults in every direction; compares at the end'
	@echo 'make install    DESTDIR= PREFIX='
	@echo 'make lint asan ubsan tsan fuzz bench format clean'

$(BUILD)/culvertd: $(BUILD)/daemon/main.o $(LIB)
	$(CC) -o $@ $^ $(LDLIBS_)

$(BUILD)/culvertctl: $(BUILD)/daemon/ctl.o $(LIB)
	$(CC) -o $@ $^ $(LDLIBS_)

$(LIB): $(LIB_OBJ)
	@rm -f $@
	$(AR) rcs $@ $^

$(BUILD)/gen/%.pb-c.c $(BUILD)/gen/%.pb-c.h: proto/%.proto
	@mkdir -p $(@D)
	protoc-c --proto_path=proto --c_out=$(BUILD)/gen $<

$(BUILD)/gen/%.pb-c.o: $(BUILD)/gen/%.pb-c.c
	$(CC) -std=gnu11 $(OPT) -fPIE $(SAN) -I$(BUILD)/gen $(PKG_C) -c -o $@ $<

$(BUILD)/%.o: %.c | $(GEN_SRC)
	@mkdir -p $(@D)
	$(CC) $(CFLAGS_) -c -o $@ $<

$(BUILD)/tests/unit/%: $(BUILD)/tests/unit/%.o $(TEST_HELP) $(LIB)
	$(CC) -o $@ $^ $(LDLIBS_) -lcmocka

$(BUILD)/tests/simulation/%: $(BUILD)/tests/simulation/%.o $(TEST_HELP) $(LIB)
	$(CC) -o $@ $^ $(LDLIBS_) -lcmocka

# Programs that call a module for a test in Python.
$(BUILD)/tests/drive/%: $(BUILD)/tests/drive/%.o $(LIB)
	$(CC) -o $@ $^ $(LDLIBS_)

$(BUILD)/tests/bench/%: $(BUILD)/tests/bench/%.o $(LIB)
	$(CC) -o $@ $^ $(LDLIBS_)

# Libraries for LD_PRELOAD; without a suffix, as all that is run.
$(BUILD)/tests/preload/%: tests/preload/%.c
	@mkdir -p $(@D)
	$(CC) -std=gnu11 -D_GNU_SOURCE -O2 -g $(WARN) -fPIC -shared -pthread -o $@ $< -ldl

tests-build: all $(UNIT) $(SIM) $(DRIVE) $(BENCH) $(PRELOAD)

# The set-up commands work on a bare Debian 12: packages first, then a second make that sees them.
packages:
	@tests/tools/packages

check: packages
	@$(MAKE) --no-print-directory -j2 WERROR=$(WERROR) tests-build
	@tests/tools/run check

check-all: packages
	@tests/tools/packages all
	@$(MAKE) --no-print-directory -j2 WERROR=$(WERROR) tests-build
	@tests/tools/run check-all

unit: packages
	@$(MAKE) --no-print-directory -j2 WERROR=$(WERROR) tests-build
	@tests/tools/run unit

demo: packages
	@$(MAKE) --no-print-directory -j2 all
	@tests/tools/demo

bench-build: all $(BENCH)

bench: packages
	@tests/tools/packages bench
	@$(MAKE) --no-print-directory -j2 bench-build
	@tests/tools/bench $(WORKS)

soak: packages
	@$(MAKE) --no-print-directory -j2 all
	@tests/tools/soak

asan: packages
	@$(MAKE) --no-print-directory -j2 WERROR=$(WERROR) BUILD=build-asan OPT='-O1 -g' \
	    SAN='-fsanitize=address -fno-omit-frame-pointer' tests-build
	@BUILD=build-asan tests/tools/run check

ubsan: packages
	@$(MAKE) --no-print-directory -j2 WERROR=$(WERROR) BUILD=build-ubsan OPT='-O1 -g' \
	    SAN='-fsanitize=undefined -fno-sanitize-recover=all' tests-build
	@BUILD=build-ubsan tests/tools/run check

tsan: packages
	@$(MAKE) --no-print-directory -j2 WERROR=$(WERROR) BUILD=build-tsan OPT='-O1 -g' \
	    SAN='-fsanitize=thread' tests-build
	@BUILD=build-tsan tests/tools/run check

lint: packages
	@tests/tools/packages lint
	@$(MAKE) --no-print-directory -j2 WERROR=1 tests-build
	@tests/tools/lint

fuzz: packages
	@tests/tools/packages fuzz
	@tests/tools/fuzz

format:
	@tests/tools/packages format
	@clang-format -i $$(git ls-files '*.c' '*.h')

# systemd looks for units, users and tmpfiles under /usr/local/lib too, for catalogues only in /usr/lib.
install: all
	install -D -m 755 $(BUILD)/culvertd $(DESTDIR)$(PREFIX)/sbin/culvertd
	install -D -m 755 $(BUILD)/culvertctl $(DESTDIR)$(PREFIX)/bin/culvertctl
	install -d $(DESTDIR)$(PREFIX)/lib/systemd/system
	sed 's|@SBINDIR@|$(PREFIX)/sbin|' systemd/culvert@.service \
	    >$(DESTDIR)$(PREFIX)/lib/systemd/system/culvert@.service
	chmod 644 $(DESTDIR)$(PREFIX)/lib/systemd/system/culvert@.service
	install -m 644 systemd/culvert.target $(DESTDIR)$(PREFIX)/lib/systemd/system/culvert.target
	install -D -m 644 systemd/culvert.sysusers $(DESTDIR)$(PREFIX)/lib/sysusers.d/culvert.conf
	install -D -m 644 systemd/culvert.tmpfiles $(DESTDIR)$(PREFIX)/lib/tmpfiles.d/culvert.conf
	install -D -m 644 systemd/culvert.catalog $(DESTDIR)/usr/lib/systemd/catalog/culvert.catalog
	install -D -m 644 conf/man/culvertd.8 $(DESTDIR)$(PREFIX)/share/man/man8/culvertd.8
	install -D -m 644 conf/man/culvertctl.1 $(DESTDIR)$(PREFIX)/share/man/man1/culvertctl.1

clean:
	rm -rf build build-asan build-ubsan build-tsan build-fuzz

-include $(LIB_OBJ:.o=.d) $(BUILD)/daemon/main.d $(BUILD)/daemon/ctl.d
-include $(wildcard $(BUILD)/tests/*/*.d)
