#!/usr/bin/env bash
# Installs the Node clients of the tests into a folder, exactly as the lock file beside this script says, and prints
# where each one's program is, in the variables that the tests read, a line each. What is installed already is left as it
# is. About 920 MB: the coding agents carry their programs with them.
#
#     export $(scripts/node-clients/install.sh FOLDER)
set -euo pipefail
HERE=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
readonly HERE

say() { echo "$1" >&2; }

if ! command -v npm >/dev/null; then
    say "error: npm is needed for the Node clients: install Node 20 or newer (on Debian and Ubuntu: apt-get install npm)"
    exit 1
fi
mkdir -p "${1:?"usage: install.sh FOLDER"}"
FOLDER=$(cd "$1" && pwd)
readonly FOLDER
# Two scripts at once must not fill it at the same time.
exec 9>"$FOLDER/.lock"
flock 9
if ! cmp --silent "$HERE/package-lock.json" "$FOLDER/complete"; then
    say "installing the Node clients into ${FOLDER#"$PWD/"} (once)"
    cp "$HERE/package.json" "$HERE/package-lock.json" "$FOLDER/"
    # No package's own scripts are run: none of them is needed. Claude Code's would copy its program, which its wrapper
    # finds where it is.
    if ! npm ci --prefix "$FOLDER" --ignore-scripts --no-audit --no-fund --loglevel=error >"$FOLDER/install.log" 2>&1; then
        tail -n 10 "$FOLDER/install.log" >&2
        say "error: npm failed: check that the package index can be reached"
        exit 1
    fi
    # Last, so that an interrupted run is not taken for a finished one.
    cp "$HERE/package-lock.json" "$FOLDER/complete"
fi
readonly MODULES=$FOLDER/node_modules
echo "GATEWAY_TEST_MCP_INSPECTOR=$MODULES/@modelcontextprotocol/inspector/clients/launcher/build/index.js"
echo "GATEWAY_TEST_CLAUDE_CODE=$MODULES/@anthropic-ai/claude-code/cli-wrapper.cjs"
echo "GATEWAY_TEST_CODEX=$MODULES/@openai/codex/bin/codex.js"
