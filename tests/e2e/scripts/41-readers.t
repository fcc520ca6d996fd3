# 41-readers  Six readers of one run, wherever their connections live, get the same bytes.
model   for "go" reply "Every reader of this run must read the very same words in the same order." token-ms 10
server  start --shards 4
post    /threads {} -> 200, $t = .thread_id
post    /threads/$t/runs say "mock:stall" -> 200, $r0 = .run_id
post    /threads/$t/runs say "go" {"stream_mode": ["messages-tuple", "values", "updates"], "stream_resumable": true} -> 200, $r = .run_id
sse     get /threads/$t/runs/$r/stream with last-event-id "-1" as a -> header content-type has "text/event-stream"
sse     get /threads/$t/runs/$r/stream with last-event-id "-1" as b -> header content-type has "text/event-stream"
sse     get /threads/$t/runs/$r/stream with last-event-id "-1" as c -> header content-type has "text/event-stream"
sse     get /threads/$t/runs/$r/stream with last-event-id "-1" as d -> header content-type has "text/event-stream"
sse     get /threads/$t/runs/$r/stream with last-event-id "-1" as e -> header content-type has "text/event-stream"
sse     get /threads/$t/runs/$r/stream with last-event-id "-1" as f -> header content-type has "text/event-stream"
post    /threads/$t/runs/$r0/cancel -> 202
same    a b c d e f
sse     a -> event metadata, .run_id == $r, event values,
        text "Every reader of this run must read the very same words in the same order."
