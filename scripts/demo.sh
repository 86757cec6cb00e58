#!/usr/bin/env bash
# The demo, or its end: `scripts/demo.sh start [--gateway BINARY]`, `scripts/demo.sh stop`.
#
# With Python it is all in demo.py. Without, no real model can be had: this file then starts the gateway with its
# built-in simulator, says so, and asks the same question with nothing but bash.
set -euo pipefail
cd "$(dirname "${BASH_SOURCE[0]}")/.."

if python3 -c 'import sys; sys.exit(sys.version_info < (3, 9))' 2>/dev/null; then
    exec python3 scripts/demo.py "$@"
fi

FOLDER=.run/demo
STATE="$FOLDER/processes" # one line a process, as processes.py writes it: name, process id, when it began
START_LIMIT_SECONDS=30

# When a process began, to tell it from another that was given the same id later.
birth() {
    sed 's/.*) //' "/proc/$1/stat" 2>/dev/null | cut -d ' ' -f 20
}

stop() {
    [[ -f $STATE ]] || return 0
    local name pid born
    while read -r name pid born; do
        if [[ -n $born && $(birth "$pid") == "$born" ]]; then
            kill "$pid"
            echo "stopped: $name" >&2
        fi
    done <"$STATE"
    rm -f "$STATE"
}

# request PORT METHOD PATH [BODY]: prints the status line and the headers, an empty line, and the body.
request() {
    local connection body=${4:-}
    exec {connection}<>"/dev/tcp/127.0.0.1/$1" || return 1
    printf '%s %s HTTP/1.1\r\nHost: 127.0.0.1:%s\r\nConnection: close\r\nContent-Type: application/json\r\nContent-Length: %s\r\n\r\n%s' \
        "$2" "$3" "$1" "${#body}" "$body" >&"$connection"
    cat <&"$connection"
    exec {connection}>&-
}

fail() {
    echo "error: $1 (see $FOLDER/gateway.log)" >&2
    stop
    exit 1
}

start() {
    local gateway=target/release/ai-mcp-gateway url="" port=3000 answer
    if [[ ${1:-} == --gateway ]]; then gateway=$2; fi
    [[ -x $gateway ]] || { echo "error: there is no $gateway: build it with cargo build --release --locked" >&2; exit 1; }
    gateway=$(realpath "$gateway")
    stop
    rm -rf "$FOLDER"
    mkdir -p "$FOLDER"
    cp scripts/demo-simulator.toml "$FOLDER/gateway.toml"
    cat >&2 <<'WARNING'
***********************************************************************
  THE ANSWERS BELOW ARE SCRIPTED. No model is running: the gateway's
  built-in simulator answers. There is no Python 3.9 or newer here, and
  the small real model needs it (apt-get install python3-venv).
***********************************************************************
WARNING
    if (exec 3<>"/dev/tcp/127.0.0.1/$port") 2>/dev/null; then port=0; fi
    # It runs in a folder of its own, so that the checkout's .env does not change the demo.
    (
        cd "$FOLDER"
        exec env -i PATH="$PATH" HOME="${HOME:-/}" API_HOST=127.0.0.1 API_PORT="$port" DEFAULT_LAYER=L0 \
            DATABASE_URL="sqlite:$PWD/gateway.sqlite" \
            "$gateway" serve --config gateway.toml </dev/null >gateway.out 2>gateway.log
    ) &
    local pid=$!
    echo "gateway $pid $(birth "$pid")" >"$STATE"

    local deadline=$((SECONDS + START_LIMIT_SECONDS))
    until url=$(grep -m1 -o '^listening on http://.*' "$FOLDER/gateway.out" 2>/dev/null); do
        kill -0 "$pid" 2>/dev/null || fail "the gateway ended"
        ((SECONDS < deadline)) || fail "the gateway does not listen after $START_LIMIT_SECONDS s"
        sleep 0.1
    done
    url=${url#listening on }
    url=${url%/}
    port=${url##*:}
    until [[ $(request "$port" GET /health/ready 2>/dev/null) == "HTTP/1."?" 200"* ]]; do
        ((SECONDS < deadline)) || fail "the gateway is not ready after $START_LIMIT_SECONDS s"
        sleep 0.1
    done

    answer=$(request "$port" POST /v1/route '{"message":"In one sentence: what is an API gateway?"}')
    [[ $answer == "HTTP/1."?" 200"* ]] || fail "the gateway refused: $answer"
    cat <<END

  question   In one sentence: what is an API gateway?
  answer     (scripted, as the gateway sent it)
${answer##*$'\r\n\r\n'}

The gateway is still running:
  url        $url
  log        $FOLDER/gateway.log
  stop       make demo-stop
END
}

case ${1:-} in
    start) shift && start "$@" ;;
    stop) stop ;;
    *) echo "usage: scripts/demo.sh start [--gateway BINARY] | stop" >&2 && exit 2 ;;
esac
