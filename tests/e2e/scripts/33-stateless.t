# 33-stateless  A run without a thread can be joined while it lives and is gone after; `keep` keeps it.
model   for "slow" reply "one two three" ttft-ms 1500
model   for "quick" reply "four"
server  start --shards 2
post    /runs say "slow" {"stream_mode": ["values", "messages-tuple"]} -> 200, .status == "pending", $r = .run_id
get     /runs/$r/join as j
sse     get /runs/$r/stream as s -> text "one two three", event values, .messages.length == 2, event end, end
await   j -> 200, .messages.-1.content == "one two three"
get     /runs/$r/join -> 404, .detail has "not found"
sse     get /runs/$r/stream as gone -> event error, .message has "404", end
sse     post /runs/stream say "quick" {"on_completion": "keep"} as k
        -> event metadata, $k = .run_id, event values x2, event end, end
server  kill
server  start
get     /runs/$k/join -> 200, .messages.*.content == ["quick", "four"]
