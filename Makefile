# Two commands do everything on a fresh machine with Python >= 3.11: `make search` and `make test`.
PYTHON ?= python3
VENV ?= .venv
WORKDIR ?= runs/photos
BIN = $(VENV)/bin

.PHONY: search test install lint clean

# The full TE-NAS search of NAS-Bench-201 on embedded photographs; run again, it resumes.
search: install
	$(BIN)/python -m experiments.search --config=configs/tenas_photos.py --workdir=$(WORKDIR)
	@echo "The workdir $(WORKDIR) holds the records, result.json and the picture search.png"

# Two processes, each with whole files of tests: most of the time is XLA compiling on one core.
test: install lint
	$(BIN)/python -m pytest -q -n 2 --dist loadfile

lint: install
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

install: $(VENV)/installed

$(VENV)/installed: setup.py requirements-lean.txt
	$(PYTHON) -c 'import sys; sys.exit("Python 3.11 or newer is needed" if sys.version_info < (3, 11) else 0)'
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --upgrade pip
	$(BIN)/python -m pip install --quiet -r requirements-lean.txt 'pytest>=8.0' 'pytest-xdist>=3.5' 'hypothesis>=6.100' 'ruff>=0.6' 'pyarrow>=18.0' 'tensorboardX>=2.6' 'nats_bench>=1.8' 'pymoo>=0.6.1' 'selenium>=4.20' 'equinox>=0.13.8'
	$(BIN)/python -m pip install --quiet --no-deps neural-tangents==0.6.5
	$(BIN)/python -m pip install --quiet --no-deps --editable .
	touch $@

clean:
	rm -rf $(VENV) build *.egg-info
