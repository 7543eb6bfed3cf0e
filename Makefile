# Needs GNU make, a POSIX shell and Python 3.11 or newer, nothing else.

PYTHON =
ARGS =
EXTRAS =
VENV = .venv

# More than most machines have cores: many tests wait for services and browsers.
PROCESSES = 4

# Only from the command line: in the environment, DATABASE_URL may name a real service's.
ifeq ($(origin DATABASE_URL),command line)
export ADMITONE_TEST_DATABASE_URL = $(DATABASE_URL)
PROCESSES = 2  # a server allows 100 connections
endif

# A virtual environment whose Python is gone is created again.
ifneq ($(shell test ! -e $(VENV) || $(VENV)/bin/python -c "" >/dev/null 2>&1 || echo broken),)
BROKEN = broken
endif

.PHONY: help run test check bench faults cluster-test container mutants siege screenshots html \
	lighthouse lock clean broken

help: ## List the targets.
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' Makefile

run: $(VENV)/run ## Install what is missing and run the whole service. EXTRAS=oidc installs more.
	@$(if $(EXTRAS),$(call install_extras))
	@exec $(VENV)/bin/admitone serve

test: $(VENV)/dev ## Run the tests. DATABASE_URL=... names a server, ARGS=... go to pytest.
	@exec $(SUITE) $(ARGS)

check: $(VENV)/dev ## Run what every change has to pass: lint, format, types, tests.
	$(VENV)/bin/ruff check
	$(VENV)/bin/ruff format --check
	$(VENV)/bin/python -m mypy
	@exec $(SUITE) $(ARGS)

bench: $(VENV)/dev ## Measure how fast it is. BENCH_ONLY=http,store,growth,views,told,size
	@exec $(VENV)/bin/python -m tests.benchmarks $(ARGS)

faults: $(VENV)/dev ## Kill processes under load and tamper with the log. Takes minutes.
	@exec $(VENV)/bin/python -m pytest tests/faults -s $(ARGS)

cluster-test: $(VENV)/dev ## Let things befall a PostgreSQL cluster under load. Takes minutes.
	@exec $(VENV)/bin/python -m pytest tests/cluster -s $(ARGS)

container: $(VENV)/dev ## Run the Containerfile's steps in a fresh Debian, and the service. Needs root.
	@exec $(VENV)/bin/python -m tests.container

mutants: $(VENV)/dev ## Plant deliberate faults, each of which the tests have to find. Takes minutes.
	@exec $(VENV)/bin/python -m tests.mutants

siege: $(VENV)/dev ## Attack a running service from outside, each way for a minute.
	@exec env SIEGE_SECONDS=60 $(VENV)/bin/python -m pytest tests/siege -s $(ARGS)

screenshots: $(VENV)/dev ## Take a picture of every page in a browser, into var/screenshots.
	@exec $(VENV)/bin/python -m tests.browser.screenshots

html: $(VENV)/dev ## Validate the HTML of every page. Needs Node 20 with npx.
	@exec $(VENV)/bin/python -m tests.browser.node_tools html

lighthouse: $(VENV)/dev ## Judge three pages with Lighthouse. Needs Node 20 with npx.
	@exec $(VENV)/bin/python -m tests.browser.node_tools lighthouse

lock: $(VENV)/dev ## Write the lock files again from pyproject.toml.
	$(VENV)/bin/python -m pip install -q uv==0.13.9
	$(COMPILE) -o requirements.lock
	$(COMPILE) --all-extras --group dev -o requirements-dev.lock

clean: ## Remove what was installed and cached. Data in var/ stays.
	rm -rf $(VENV) .pytest_cache .mypy_cache .ruff_cache .hypothesis
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# Compiled files are kept: a run starts hundreds of processes.
SUITE = env PYTHONDONTWRITEBYTECODE= \
	$(VENV)/bin/python -m pytest -n $(PROCESSES) --dist loadfile --no-loadscope-reorder

COMPILE = $(VENV)/bin/uv pip compile -q --universal --generate-hashes --python-version 3.11 \
	pyproject.toml

# Each stamp file says which lock is installed. Both locks are installed into one environment,
# and nothing is ever removed from it: a service may be running from there.
$(VENV)/run: requirements.lock $(BROKEN)
	@$(call install,requirements.lock)
	@touch $(VENV)/run

$(VENV)/dev: requirements-dev.lock $(BROKEN)
	@$(call install,requirements-dev.lock)
	@touch $(VENV)/run $(VENV)/dev

define install
set -e; \
if ! $(VENV)/bin/python -m pip --version >/dev/null 2>&1; then \
	$(find_python); \
	"$$python" -m venv --clear $(VENV); \
fi; \
echo "Installing $(1) into $(VENV), once ..."; \
{ $(VENV)/bin/python -m pip install --disable-pip-version-check --progress-bar off \
	--only-binary :all: --require-hashes -r $(1) || touch $(VENV)/failed; } | $(show_progress); \
if [ -e $(VENV)/failed ]; then rm $(VENV)/failed; exit 1; fi; \
$(link_project)
endef

# Says how far pip is: in one line that counts on a terminal, else now and then.
define show_progress
{ total=$$(grep -c == $(1)); done=0; \
while read -r line; do \
	case $$line in \
	*"(from -r "*) \
		done=$$((done + 1)); \
		if [ -t 1 ]; then printf '\r  %s of %s packages' $$done $$total; \
		elif [ $$((done % 20)) = 0 ]; then echo "  $$done of $$total packages"; fi ;; \
	"Installing collected"*) \
		[ ! -t 1 ] || printf '\r'; echo "  $$total of $$total packages found, writing them ..." ;; \
	esac; \
done; }
endef

# Packages of parts that not everybody uses, in the versions of the other lock.
define install_extras
$(VENV)/bin/python -c "$$LIST_EXTRAS" $(EXTRAS) | xargs $(VENV)/bin/python -m pip install -q \
	--disable-pip-version-check --only-binary :all: -c requirements-dev.lock
endef
export LIST_EXTRAS = import sys, tomllib; \
	extras = tomllib.load(open("pyproject.toml", "rb"))["project"]["optional-dependencies"]; \
	print(*(package for extra in sys.argv[1:] for package in extras[extra]))

# Finds a suitable Python: the machine's own, else the newest.
define find_python
python=; without_venv=; \
for candidate in $(or $(PYTHON),python3 python3.15 python3.14 python3.13 python3.12 python3.11); do \
	"$$candidate" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || continue; \
	if "$$candidate" -c 'import ensurepip, venv' 2>/dev/null; then python=$$candidate; break; fi; \
	: "$${without_venv:=$$candidate}"; \
done; \
if [ -z "$$python" ] && [ -n "$$without_venv" ]; then \
	echo "$$without_venv can't make virtual environments: install its venv module" \
		"(on Debian and Ubuntu: apt-get install python3-venv)." >&2; exit 1; \
elif [ -z "$$python" ]; then \
	echo "Python 3.11 or newer is needed and none was found. PYTHON=... names one." >&2; exit 1; \
fi
endef

# Puts the checkout on Python's path, relative so that it can be moved, and writes the command.
define link_project
echo ../../../.. > "$$(echo $(VENV)/lib/python3*/site-packages)/admitone.pth"; \
printf '%s\n' '#!/bin/sh' \
	'exec "$$(dirname "$$(readlink -f "$$0")")/python" -P -m interface.cli "$$@"' \
	> $(VENV)/bin/admitone; \
chmod +x $(VENV)/bin/admitone
endef
