# Everything people do with a checkout. `make help` lists it; docs/development.md tells more.

# Where cargo puts what it builds.
TARGET := $(or $(CARGO_TARGET_DIR),target)

COMPOSE := docker compose --env-file .env.docker

.DEFAULT_GOAL := help
.PHONY: help build run demo demo-stop test soak fmt lint bench clean-run setup prod dev logs down

help: ## this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  make %-10s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

build: ## build the release binaries
	cargo build --release --locked

run: ## serve with your own settings (environment, .env, config/)
	cargo run --release --locked -- serve

demo: build ## start the gateway with a model behind it, ask one question, leave it running
	@bash scripts/demo.sh start --gateway "$(TARGET)/release/ai-mcp-gateway"

demo-stop: ## stop what the demo left running
	@bash scripts/demo.sh stop

test: ## everything that must hold before a change is merged: format, lints, docs, dependencies, all tests
	@bash scripts/test.sh

soak: ## ten minutes of mixed load on a release build, and what it leaves behind (GATEWAY_SOAK_SECONDS)
	GATEWAY_SOAK_SECONDS=$(or $(GATEWAY_SOAK_SECONDS),600) cargo test --release --locked --test soak -- --nocapture k14

setup: ## write .env.docker with fresh secrets, for the Docker stack
	@python3 scripts/docker_env.py

prod: setup ## build and start the Docker stack: gateway, PostgreSQL, Redis, a local model
	$(COMPOSE) -f docker/compose.yaml up --build --detach

dev: setup ## run this checkout in Docker, with scripted answers
	$(COMPOSE) -f docker/compose.dev.yaml up

logs: ## follow the logs of the Docker stack
	$(COMPOSE) -f docker/compose.yaml logs --follow

down: ## stop the Docker stack; its data stays
	$(COMPOSE) -f docker/compose.yaml down

fmt: ## format the code
	cargo fmt --all

lint: ## clippy on everything, warnings are errors
	cargo clippy --workspace --all-targets --all-features --locked -- -D warnings

bench: ## the benchmarks
	cargo bench --locked
	cargo bench --locked -p gateway-routing

clean-run: demo-stop ## forget what the scripts installed and wrote (.run/)
	rm -rf .run
