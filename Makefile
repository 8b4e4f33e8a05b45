# make run    see it work: the demo, on any machine with Python 3.11 (no camera, no GPU, no display needed)
# make test   lint, types and every test that needs no device
# make lab    the real v4l2loopback, cameras and browsers, in a guest each (docs/lab.md; root on Debian)
# make train-gpu  seven minutes of training of the slim network on a GPU (docs/weights.md)
# make wheel  wheel and sdist in dist/; make deb: a .deb for each release in RELEASE (root); make recipes: the rest (packaging/)
# make clean  remove the virtual environment and what the demo wrote

PYTHON ?= python3
VENV   ?= .venv
BIN    := $(VENV)/bin
PIP    := $(BIN)/pip install --disable-pip-version-check --constraint constraints.txt

# PyTorch is for NVIDIA's GPUs (5 GB) and for the tests; a CPU does without. To choose: make clean run TORCH=cpu
NVIDIA     ?= /dev/nvidiactl /proc/driver/nvidia/version
TORCH      ?= $(if $(wildcard $(NVIDIA)),cuda,none)
CPU_WHEELS ?= https://download.pytorch.org/whl/cpu
ifeq ($(filter none cpu cuda,$(TORCH)),)
  $(error TORCH=$(TORCH) is neither none, cpu nor cuda)
endif

# instead of the build for NVIDIA's GPUs, which pip would take
define TORCH_FOR_CPU
$(PIP) --no-deps --retries 1 --timeout 15 --index-url $(CPU_WHEELS) torch || \
  echo "$(CPU_WHEELS) cannot be reached: torch comes from pip's own index, perhaps with its GPU libraries."
endef

.PHONY: run test lab lint types unit format train-gpu wheel deb recipes clean

run: $(VENV)/.runtime
	$(BIN)/camdaemon demo --output out

test: lint types unit

# only some of it: make lab SCENARIO="on-demand killed" V4L2LOOPBACK=0.15.0
lab: $(VENV)/.runtime
	$(BIN)/python tests/lab $(if $(SCENARIO),--scenario $(SCENARIO)) $(if $(V4L2LOOPBACK),--v4l2loopback $(V4L2LOOPBACK))

lint: $(VENV)/.dev
	$(BIN)/ruff check
	$(BIN)/ruff format --check

# the lab by itself: its programs run with its folder on their path
types: $(VENV)/.dev
	$(BIN)/mypy
	MYPYPATH=tests/lab $(BIN)/mypy tests/lab/*.py tests/lab/*/*.py

# make unit COVERAGE=1 also measures which lines ran, and fails under the floor in pyproject.toml
unit: $(VENV)/.dev
ifdef COVERAGE
	$(BIN)/coverage run -m pytest
	$(BIN)/coverage report
else
	$(BIN)/pytest
endif

format: $(VENV)/.dev
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

# For a GPU that is lent for some minutes, with a copy of this folder: 5 minutes for the base, 2 for the refiner. DATA is
# packed as WebP, below the folder; both together have to be small enough to be copied.
DATA    ?= .gpu/data
OUT     ?= runs/gpu
START   ?= weights/slim.safetensors
TRAIN   ?= $(PYTHON) -m camdaemon.tools.train
DEVICE  ?= cuda
MINUTES ?= 5 2
BATCH   ?= 192 6
MOST_MIB ?= 60
train-gpu:
	@mib=$$(( $$({ git ls-files -z 2> /dev/null | du -bc --files0-from=- ; du -bc $(DATA) ; } | \
	  awk '/total$$/ { sum += $$1 } END { print sum }') >> 20 )); echo "this folder and $(DATA): $$mib MiB"; \
	  test $$mib -le $(MOST_MIB) || { echo "that is more than $(MOST_MIB) MiB; pack the pictures smaller"; exit 1; }
	$(TRAIN) base --data $(DATA) --out $(OUT)/base --start $(START) --minutes $(word 1,$(MINUTES)) \
	  --batch $(word 1,$(BATCH)) --rate 2 --device $(DEVICE) --validation-samples 128
	$(TRAIN) joint --data $(DATA) --out $(OUT)/joint --cache $(OUT)/base/cache --start $(OUT)/base/best.safetensors \
	  --minutes $(word 2,$(MINUTES)) --batch $(word 2,$(BATCH)) --device $(DEVICE) --validation-samples 24

# ADDRESS=https://… for packages with links, see packaging/README.md
RELEASE ?= bookworm trixie
GIVEN   := $(if $(ADDRESS),--address $(ADDRESS))
wheel:
	packaging/python/build.sh $(GIVEN)

deb:
	packaging/deb/build.sh $(GIVEN) $(RELEASE)

recipes: wheel
	packaging/recipes.sh $(GIVEN)

clean:
	rm -rf $(VENV) out

$(VENV)/.runtime: pyproject.toml constraints.txt
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
	  { echo "camdaemon needs Python 3.11 or newer; try: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@$(PYTHON) -c 'import ensurepip' || \
	  { echo "Python's venv is missing; type: sudo apt install python3-venv"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	@echo "Installing camdaemon into $(VENV), PyTorch: $(TORCH); the download takes a few minutes."
ifeq ($(TORCH),cpu)
	$(TORCH_FOR_CPU)
endif
	$(PIP) --editable '.$(if $(filter none,$(TORCH)),,[torch])'
	@$(PIP) --quiet --editable '.[hotkeys]' \
	  > $(VENV)/hotkeys.log 2>&1 || echo "Hotkeys are left out: pynput does not build here" \
	  "(to have them: sudo apt install gcc python3-dev linux-libc-dev, then rm $(VENV)/.runtime; details: $(VENV)/hotkeys.log)"
	@mkdir -p $(VENV)/share/man/man1 && $(BIN)/camdaemon man > $(VENV)/share/man/man1/camdaemon.1
	@touch $@

# the tests compare with PyTorch
$(VENV)/.dev: $(VENV)/.runtime
ifeq ($(TORCH),none)
	$(TORCH_FOR_CPU)
endif
	$(PIP) --editable '.[dev]'
	@touch $@
