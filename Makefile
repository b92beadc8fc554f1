# One word a task. Both `make demo` and `make test` install what is missing (Debian 12, as root or with sudo).
JOBS ?= $(shell nproc)
BUILD := build
PRESET ?= dev

.PHONY: all setup build demo test replay check test-assets bench fmt clean
all: build

setup:
	@tools/setup.sh

build: setup
	@tools/build.sh $(PRESET)

# The main job on bundled data: quantizes a small trained model, verifies it, prints one table.
demo: setup
	@tools/build.sh $(PRESET) pare
	@tools/demo.sh $(BUILD)/$(PRESET)/pare

# From committed files only.
test: setup
	@tools/build.sh $(PRESET) all
	@ctest --test-dir $(BUILD)/$(PRESET) --output-on-failure -j $(JOBS) -LE 'assets|emulated'

# Writes tests/replay anew: the optimized graphs, memory plans and kernel choices that a change is meant to alter.
replay: setup
	@tools/build.sh $(PRESET) pare_tests
	@PARE_UPDATE_REPLAY=1 $(BUILD)/$(PRESET)/pare_tests --gtest_brief=1 --gtest_filter='*Replay*'
	@git status --short tests/replay

# Format, layers, names, ISA leaks, sizes, warnings of both compilers, emulated rows, sanitizers.
check: setup
	@tools/check.sh

# The cases in ../shared/assets (or PARE_ASSETS); fails where they are missing.
test-assets: setup
	@tools/build.sh $(PRESET) all
	@ctest --test-dir $(BUILD)/$(PRESET) --output-on-failure -L assets

bench: setup
	@tools/build.sh $(PRESET) all benches
	@for bench in $(BUILD)/$(PRESET)/*_bench; do $$bench --benchmark_min_time=0.1; done

fmt:
	@git ls-files 'src/*.h' 'src/*.cc' 'include/*.h' 'tests/*.cc' 'tests/*.h' 'examples/*.cc' | xargs clang-format-19 -i

clean:
	@rm -rf $(BUILD)
