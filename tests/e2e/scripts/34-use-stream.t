# 34-use-stream  What React's useStream sends: the state it shows as checkpoint, modes nobody feeds, subgraphs nobody has.
model   reply "Well."
model   for "stay" reply "one" ttft-ms 60000
server  start
post    /threads {"metadata": {}} -> 200, $t = .thread_id
sse     post /threads/$t/runs/stream say "first" {"stream_mode": ["values", "messages-tuple", "custom"], "stream_subgraphs": true, "stream_resumable": true} as one
        -> event metadata, event values, skip to end
get     /threads/$t/state?subgraphs=true -> 200, .next == []
post    /threads/$t/history {"limit": 10} -> 200, $now = .0.checkpoint.checkpoint_id, $before = .1.checkpoint.checkpoint_id
# the second message names the state that the first one ended in
sse     post /threads/$t/runs/stream say "second" {"checkpoint": {"checkpoint_id": "$now", "checkpoint_ns": "", "checkpoint_map": null}} as two
        -> event metadata, skip to end
get     /threads/$t/state -> 200, .values.messages.*.type == ["human", "ai", "human", "ai"]
# from an older one: a branch, which is the thread's from then on
post    /threads/$t/runs/wait say "third" {"checkpoint": {"checkpoint_id": "$before"}}
        -> 200, .messages.*.content == ["first", "third", "Well."]
get     /threads/$t/state -> 200, .values.messages.*.content == ["first", "third", "Well."], .next == []
# the same in a config: what the other branch had is still there
post    /threads/$t/runs/wait say "fourth" {"config": {"configurable": {"checkpoint_id": "$now"}}}
        -> 200, .messages.*.content == ["first", "Well.", "fourth", "Well."]
# a run that waits its turn begins where it was told to, not where the one before it ends
post    /threads/$t/history {"limit": 1} -> 200, $now = .0.checkpoint.checkpoint_id
post    /threads/$t/runs say "stay" -> 200, $r = .run_id
until   get /threads/$t/runs/$r -> 200, .status == "running"
post    /threads/$t/runs say "fifth" {"checkpoint_id": "$now"} -> 200, .status == "pending", $q = .run_id
post    /threads/$t/runs/$r/cancel?wait=1 -> 204
get     /threads/$t/runs/$q/join -> 200, .messages.*.content == ["first", "Well.", "fourth", "Well.", "fifth", "Well."]
get     /threads/$t/state -> 200, .values.messages.-1.content == "Well.", .values.messages.length == 6
# a state that no thread has, and another thread's
post    /threads/$t/runs say "lost" {"checkpoint_id": "1f1ecade-6842-6ccc-8001-57bb894aa6b1"} -> 404, .detail has "checkpoint"
post    /threads {} -> 200, $u = .thread_id
post    /threads/$u/runs say "lost" {"checkpoint_id": "$now"} -> 404, .detail has "checkpoint"
