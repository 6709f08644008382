# Songshan Edge: everything a newcomer calls. Each target installs what it needs first.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
MADE_FROM := requirements-dev.lock pyproject.toml hatch_build.py package.json package-lock.json \
             $(shell find appliance edge_agent tui provisioning -name '*.po')

# command:package pairs; a command that is missing is installed from Debian (as root) or named (as anybody else).
RUN_NEEDS := rsync:rsync sshd:openssh-server ssh:openssh-client ffmpeg:ffmpeg npm:npm setpriv:util-linux
TEST_NEEDS := nginx:nginx-light chromium:chromium chromedriver:chromium-driver mpv:mpv cvlc:vlc-bin \
              vlc-plugin:vlc-plugin-base systemd-analyze:systemd tmux:tmux strace:strace runuser:util-linux \
              console-fonts:console-setup-linux ip:iproute2 nft:nftables
MACHINE_NEEDS := qemu-system-x86_64:qemu-system-x86 debootstrap:debootstrap mkfs.ext4:e2fsprogs
BENCH_NEEDS := wrk:wrk tc:iproute2
# Compared with where they are there; without them their figures are missing and the table says so.
BENCH_PEERS := unison:unison rclone:rclone syncthing:syncthing melt:melt gst-launch-1.0:gstreamer1.0-tools \
               gst-plugins:gstreamer1.0-plugins-good gst-plugins:gstreamer1.0-plugins-bad gst-codecs:gstreamer1.0-libav

# What a Debian 12 installs from a bundle: requirements.lock and requirements-controller.lock.
LOCK := --quiet --python-version 3.11 --python-platform linux --generate-hashes --no-emit-index-url \
        --no-emit-find-links --no-header --no-annotate --upgrade

# Each test process and each program that a test starts would compile all of our code anew.
unexport PYTHONDONTWRITEBYTECODE

.PHONY: demo test appliance-test stick-test sim air-sim bench bundle lint types contracts pytest clean system-run system-test system-machines system-bench lock

demo: system-run $(READY)
	$(BIN)/songshan demo

test: system-test $(READY) lint types contracts pytest

# SEED=N plays one history of the whole pair and shows it; SEEDS=N [FROM=K] plays many on all cores.
sim: $(READY)
	$(BIN)/python -m tests.simulation $(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1000) --first $(or $(FROM),1))

# Days of a channel, polled every second: SEED=N plays one history of HOURS=H (48) and shows it; SEEDS=N [FROM=K] many.
air-sim: $(READY)
	$(BIN)/python -m tests.days --hours $(or $(HOURS),48) \
		$(if $(SEED),--seed $(SEED),--seeds $(or $(SEEDS),1) --first $(or $(FROM),1))

bench: system-bench $(READY)
	$(BIN)/python -m tests.bench

# The parts of a bundle in build/bundle; VERSION=V calls the release so; HUB=DIR signs it with that hub's key.
bundle: system-run $(READY)
	$(BIN)/python -m provisioning.release build/bundle $(if $(VERSION),--version $(VERSION))
	$(if $(HUB),$(BIN)/songshan-hub --hub $(HUB) bundle build/bundle --suite bookworm --out build/songshan.bundle)

# Hub and box as Debian in QEMU, as root: ONLY="cold cuts" plays some, CUTS=N so many power cuts, SEED=S others, KEEP=1 with
# the machines of an earlier run. What it installs is the bundle of this clone.
appliance-test: system-machines bundle
	$(BIN)/python -m tests.machines.trial $(if $(ONLY),--only $(ONLY)) $(if $(CUTS),--cuts $(CUTS)) \
		$(if $(SEED),--seed $(SEED)) $(if $(KEEP),--keep)

# A box from a bare machine by a stick alone: as long as the making of one, so it is no part of the above.
stick-test: system-machines bundle
	$(BIN)/python -m tests.machines.trial --only stick $(if $(SEED),--seed $(SEED)) $(if $(KEEP),--keep)

lint: $(READY)
	$(BIN)/ruff check --no-cache .
	$(BIN)/ruff format --check .
	PATH=$(CURDIR)/$(BIN):$$PATH ANSIBLE_LIBRARY=$(CURDIR)/ansible/library timeout 300 $(BIN)/ansible-lint --nocolor -q -c .ansible-lint ansible

types: $(READY)
	$(BIN)/mypy

contracts: $(READY)
	$(BIN)/lint-imports

# What shares the machine badly (players against the clock) runs after the rest, in two rows (tests/conftest.py).
pytest: $(READY)
	$(BIN)/pytest -n 2 --dist loadscope -m "not serial" -q
	$(BIN)/pytest -n 2 --dist loadgroup -m serial -q

$(READY): $(MADE_FROM)
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --require-hashes -r requirements-dev.lock
	$(BIN)/pip install --quiet --no-deps --no-build-isolation --editable .
	touch $(READY)

system-run:
	@sh tests/system-packages.sh $(RUN_NEEDS)

system-test:
	@sh tests/system-packages.sh $(RUN_NEEDS) $(TEST_NEEDS)

system-machines: system-run
	@sh tests/system-packages.sh $(MACHINE_NEEDS)

system-bench:
	@sh tests/system-packages.sh $(RUN_NEEDS) $(TEST_NEEDS) $(BENCH_NEEDS)
	@sh tests/system-packages.sh $(BENCH_PEERS) || echo "未安装的不比较 / what is not installed is not compared"

# Resolves the versions anew and writes them with their hashes and without any index address.
lock: $(READY)
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
		--no-emit-find-links --no-header --no-annotate --upgrade --group dev pyproject.toml -o requirements-dev.lock
	$(BIN)/uv pip compile $(LOCK) --group bundle pyproject.toml -c requirements-dev.lock -o requirements.lock
	$(BIN)/uv pip compile $(LOCK) --group pyproject.toml:controller -c requirements-dev.lock -c requirements.lock \
		-o requirements-controller.lock

clean:
	rm -rf build $(VENV) node_modules appliance/web/static/vendor
