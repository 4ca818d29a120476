# A front to meson that does its own set-up. `make help` lists the targets.

PREFIX ?= /usr/local
BUILD := build
STAGES ?=

.PHONY: all deps demo test interop bench soak check-style install clean help

all: $(BUILD)/build.ninja
	@ninja -C $(BUILD)

$(BUILD)/build.ninja:
	@command -v meson >/dev/null || { echo "meson is not installed: run 'make deps' first" >&2; exit 1; }
	@meson setup $(BUILD)

deps:
	@scripts/deps.sh all

demo:
	@scripts/deps.sh build
	@[ -x $(BUILD)/usbwire ] || echo "demo: building; this takes a minute or two, once"
	@$(MAKE) --no-print-directory -s all >$(BUILD).log 2>&1 || { cat $(BUILD).log; exit 1; }
	@rm -f $(BUILD).log
	@scripts/demo.sh

test:
	@scripts/deps.sh build test interop programs style
	@scripts/test.sh $(STAGES)

interop:
	@scripts/deps.sh build test interop
	@scripts/test.sh interop

check-style:
	@scripts/deps.sh build test style
	@scripts/test.sh style

bench:
	@scripts/deps.sh build test bench
	@scripts/bench.sh

soak:
	@scripts/deps.sh build test
	@scripts/soak.sh

# PREFIX is where it will live, DESTDIR an optional root to put that under.
install: $(BUILD)/build.ninja
	@meson configure $(BUILD) --prefix=$(PREFIX)
	@DESTDIR=$(DESTDIR) meson install -C $(BUILD) --quiet
	@if [ -z "$(DESTDIR)" ] && [ "$$(id -u)" = 0 ]; then ldconfig; fi
	@echo "installed under $(DESTDIR)$(PREFIX)"

clean:
	@rm -rf $(BUILD) bench/out

help:
	@echo "make              build; the command is $(BUILD)/usbwire"
	@echo "make deps         install what is missing to build and test (Debian packages)"
	@echo "make demo         build, start the simulated bench, walk through the command"
	@echo "make test         everything: sanitizers, kernel interoperability, style; STAGES='asan style' for some"
	@echo "make interop      only the tests against the Linux kernel"
	@echo "make check-style  only layout, static analysis, include directions, exports, spelling"
	@echo "make bench        measure against the raw limit; table, data and plot in bench/out"
	@echo "make soak         valgrind, long thread and fuzz runs, every server personality; about an hour"
	@echo "make install      PREFIX=$(PREFIX) DESTDIR=$(DESTDIR)"
	@echo "make clean        remove everything that was built"
