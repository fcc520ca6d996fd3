# 43-keep-alive  While a run is silent, streams get a comment and waits a blank line every five seconds.
model   for "slow" reply "at last" ttft-ms 6500
server  start --shards 2
post    /threads {} -> 200, $t = .thread_id
post    /runs/wait say "slow" as w
sse     post /threads/$t/runs/stream say "slow" {"stream_mode": ["updates"]} as s
        -> event metadata, comment "heartbeat", event updates, event end, end
await   w -> 200, starts "\n", .messages.-1.content == "at last"
