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
# from an older one is another branch, which there is not yet
post    /threads/$t/runs say "third" {"checkpoint": {"checkpoint_id": "$before"}}
        -> 422, .detail has "latest state"
post    /threads/$t/runs say "third" {"config": {"configurable": {"checkpoint_id": "$now"}}}
        -> 422, .detail has "config.configurable.checkpoint_id"
# while a run is under way nobody knows what will be the latest when the next begins
post    /threads/$t/history {"limit": 1} -> 200, $now = .0.checkpoint.checkpoint_id
post    /threads/$t/runs say "stay" -> 200, $r = .run_id
until   get /threads/$t/runs/$r -> 200, .status == "running"
post    /threads/$t/runs say "third" {"checkpoint_id": "$now"} -> 422, .detail has "idle"
post    /threads/$t/runs/$r/cancel?wait=1 -> 204
