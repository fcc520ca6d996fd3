#!/bin/sh
# http.sh URL - what curl users do: query arrays by repetition, text/plain
# bodies, pipelining, HEAD, CORS, aliases.  Closes with `N passed, N failed`.
set -u
url=$1
passed=0 failed=0
ok() { # name, expected, got
	if [ "$2" = "$3" ]; then passed=$((passed + 1)); else
		failed=$((failed + 1)); printf 'FAIL %s\n     got %s\n     not %s\n' "$1" "$3" "$2"; fi
}
has() { # name, part, text
	case $3 in *"$2"*) passed=$((passed + 1)) ;; *) failed=$((failed + 1)); printf 'FAIL %s\n     %s\n     lacks %s\n' "$1" "$3" "$2" ;; esac
}
field() { sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p" | head -n 1; }
run='{"assistant_id":"agent","input":{"messages":[{"role":"user","content":"hi"}]},"stream_resumable":true,"stream_mode":["values","updates","messages-tuple"]}'

ok health '{"status":"ok"}' "$(curl -s "$url/health")"
ok ok '{"ok":true}' "$(curl -s "$url/ok")"
has info '"version"' "$(curl -s "$url/info")"
has metrics 'cohort_http_requests_total' "$(curl -s "$url/metrics")"
has openapi '"/threads/{thread_id}/runs/stream"' "$(curl -s "$url/openapi.json")"

t=$(curl -s "$url/threads" -H 'content-type: text/plain;charset=UTF-8' -d '{"metadata":{"via":"text/plain"}}' | field thread_id)
ok 'text/plain bodies are JSON' 36 "${#t}"
ok 'no content type' 200 "$(curl -s -o /dev/null -w '%{http_code}' -X POST -H 'content-type:' -d '{}' "$url/threads")"

head=$(curl -s -D - -o /dev/null "$url/threads/$t/runs/stream" -d "$run")
has 'Content-Location' "ontent-location: /threads/$t/runs/" "$(printf %s "$head" | tr 'CL' 'cl')"
has 'Location' "/stream" "$(printf %s "$head" | grep -i '^location')"
r=$(printf %s "$head" | tr -d '\r' | sed -n 's#^[Cc]ontent-[Ll]ocation: .*/runs/##p')
both=$(curl -s -H 'Last-Event-ID: -1' "$url/threads/$t/runs/$r/stream?stream_mode=values&stream_mode=updates")
has 'query arrays by repetition: values' 'event: values' "$both"
has 'query arrays by repetition: updates' 'event: updates' "$both"
case $both in *'event: messages'*) ok 'and only those' none messages ;; *) passed=$((passed + 1)) ;; esac
json=$(curl -s -g -H 'Last-Event-ID: -1' "$url/threads/$t/runs/$r/stream?stream_mode=%5B%22updates%22%5D")
has 'query arrays as JSON' 'event: updates' "$json"
end='event: end
data: {"run_id":"'$r'","status":"success"}'
ok 'Last-Event-ID resumes after' "$end" "$(curl -s -H 'Last-Event-ID: 99999' "$url/threads/$t/runs/$r/stream")"
ok 'Last-Event-ID that is no number' 400 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Last-Event-ID: 1710-0' "$url/threads/$t/runs/$r/stream")"
has 'Last-Event-ID of all' 'event: metadata' "$(curl -s -H 'Last-Event-ID: -' "$url/threads/$t/runs/$r/stream")"
has 'empty query values are absent' 'event: messages' "$(curl -s -H 'Last-Event-ID: -1' "$url/threads/$t/runs/$r/stream?cancel_on_disconnect=0&stream_mode=&namespace=&checkpoint_id=")"
u=33333333-3333-4333-8333-333333333333
none='event: error
data: {"error":"HTTPError","message":"HTTP 404: Run not found"}
200'
ok 'the stream of an unknown run' "$none" "$(curl -s -w '200\n' "$url/threads/$t/runs/$u/stream" | sed '/^$/d')"
ok 'without a thread' "$none" "$(curl -s -w '200\n' "$url/runs/$u/stream" | sed '/^$/d')"
ok 'its join is 404' 404 "$(curl -s -o /dev/null -w '%{http_code}' "$url/threads/$t/runs/$u/join")"
warn=$(curl -s -D - -o /dev/null "$url/threads/$t/runs/wait" -d '{"assistant_id":"agent","input":{},"config":{"configurable":{"maxTokens":9,"theme":"x"}}}')
has 'a misspelt setting is told' 'arning: 299 - "config.configurable.maxTokens is not known; did you mean max_tokens?"' "$warn"
case $warn in *theme*) ok 'other members are not' '' "$warn" ;; *) passed=$((passed + 1)) ;; esac

ok 'HEAD has no body' 200 "$(curl -s -I -o /dev/null -w '%{http_code}' "$url/ok")"
ok 'Expect: 100-continue' 200 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Expect: 100-continue' -d '{}' "$url/threads")"
ok 'chunked body' 200 "$(curl -s -o /dev/null -w '%{http_code}' -H 'Transfer-Encoding: chunked' -d '{}' "$url/threads")"
ok 'keep-alive' 1 "$(curl -s -o /dev/null -o /dev/null -w '%{num_connects}\n' "$url/ok" "$url/ok" | awk '{ n += $1 } END { print n }')"
pre=$(curl -s -D - -o /dev/null -X OPTIONS "$url/threads" -H 'Origin: http://app.localhost:3000' -H 'Access-Control-Request-Method: POST' -H 'Access-Control-Request-Headers: content-type,x-api-key')
has 'preflight' '204' "$pre"
has 'preflight echoes the headers' 'content-type,x-api-key' "$pre"
has 'exposed headers' 'content-location' "$(curl -s -D - -o /dev/null -H 'Origin: http://localhost:3000' "$url/ok" | grep -i expose)"

curl -s -o /dev/null -X PUT "$url/store/items" -d '{"namespace":["a","b"],"key":"k","value":{"x":1}}'
has 'namespace joined by dots' '"x":1' "$(curl -s "$url/store/items?namespace=a.b&key=k")"
has 'namespace repeated' '"x":1' "$(curl -s "$url/store/items?namespace=a&namespace=b&key=k")"
ok 'delete by query' 204 "$(curl -s -o /dev/null -w '%{http_code}' -X DELETE "$url/store/items?namespace=a.b&key=k")"
ok 'is gone' null "$(curl -s "$url/store/items?namespace=a.b&key=k")"
ok '405 says what is allowed' 'POST' "$(curl -s -D - -o /dev/null -X PUT "$url/threads" | tr -d '\r' | sed -n 's/^[Aa]llow: //p' | grep -o POST)"

host=${url#http://}
pipe=$(printf 'GET /ok HTTP/1.1\r\nHost: localhost\r\n\r\nGET /health HTTP/1.1\r\nHost: localhost\r\n\r\nGET /ok HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n' |
	curl -s --max-time 5 "telnet://$host" | grep -o 'HTTP/1.1 200' | grep -c .)
ok 'pipelining' 3 "$pipe"

echo "$passed passed, $failed failed"
[ "$failed" = 0 ]
