# 63-kill-after-tool  After the restart a run goes on where it was: what its tools did is not done again.
model   for "note" call store_put {"namespace": ["n"], "key": "k", "value": {"v": 1}}
model   for tool reply "never" ttft-ms 600000
server  start
post    /threads {} -> 200, $t = .thread_id
sse     post /threads/$t/runs/stream say "note" {"stream_mode": ["updates"], "durability": "sync"} as s
        -> event metadata, $r = .run_id, event updates x2, .tools.messages.0.content has "Stored"
get     /store/items?namespace=n&key=k -> 200, .value.v == 1, $stored = .updated_at
server  kill
# the model would call the tool again if it were asked from the start
model   forget
model   for "note" reply "I was asked from the start"
model   for tool reply "noted"
server  start
get     /threads/$t/runs/$r/join -> 200, .messages.*.type == ["human", "ai", "tool", "ai"], .messages.-1.content == "noted"
get     /store/items?namespace=n&key=k -> 200, .updated_at == $stored
get     /threads/$t/history -> 200, .*.metadata.step == [3, 2, 1, 0, -1]
