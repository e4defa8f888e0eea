# The pages of the documentation, in docs/_build: pip install -r requirements-docs.txt before.
.PHONY: docs
docs:
	python -m sphinx -W --keep-going -q -b html docs docs/_build
	@echo open docs/_build/index.html
