# The README's commands, for bash and zsh: `. examples/api.sh` in the project's folder, while `make run` runs there.
# It is all plain curl: `api` sends the token along and makes the answer readable; `stream` shows it as it comes, for so
# many seconds; `field` takes one value out of an answer. A refusal is shown as the server has written it, and is an error.

URL=${REGENTE_URL:-$(cat "${DATA_DIR:-.data}/run/url" 2>/dev/null)}
if [ -z "$URL" ]; then
    echo "Nothing is ready in ${DATA_DIR:-.data}: wait for the ready line of make run, or set REGENTE_URL." >&2
    return 1
fi
BASE=$URL/api/v1

api() (
    set -o pipefail
    curl -sS --fail-with-body -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "$@" |
        python3 -m json.tool --no-ensure-ascii
)

stream() {
    timeout "$1" curl -sSN --fail-with-body -H "Authorization: Bearer $TOKEN" -H 'Content-Type: application/json' "${@:2}" ||
        [ $? = 124 ] # the time is over, not the stream
}

field() { # NAME …: the first of these that is there; data.0.id is the id of the first of data
    python3 -c '
import json, sys

def find(value, path):
    for name in path.split("."):
        value = value[int(name) if isinstance(value, list) else name]
    return value

text = sys.stdin.read()
answer = json.loads(text) if text.strip() else {}
for path in sys.argv[1:]:
    try:
        print(find(answer, path))
        break
    except (KeyError, IndexError, TypeError, ValueError):
        pass
else:
    message = answer.get("message") or answer.get("detail") if isinstance(answer, dict) else None
    sys.exit(f"no {sys.argv[1]} in the answer: {message or text[:300]}")' "$@"
}

# ended URL: what it shows of a run, job or task once that is over; each call waits at the server for a change.
ended() {
    local answer state
    while answer=$(api "$1" -H 'Prefer: wait=10') && state=$(printf '%s' "$answer" | field status state); do
        case $state in
            completed | succeeded | failed | cancelled | timeout)
                printf '%s\n' "$answer"
                return
                ;;
        esac
    done
    return 1
}

login() { # EMAIL PASSWORD
    curl -sS --fail-with-body "$BASE/auth/login" -H 'Content-Type: application/json' \
        -d "{\"email\": \"$1\", \"password\": \"$2\"}" | field access_token
}

demo() { field "$1" < "${DATA_DIR:-.data}/demo_credentials.json"; }
TOKEN=$(login "$(demo email)" "$(demo password)")
