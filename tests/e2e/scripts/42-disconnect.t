# 42-disconnect  A client that leaves: `cancel` stops its run, `continue` (the default) lets it finish.
model   for "long" reply "a b c d e f g h" token-ms 30
server  start --shards 2
post    /threads {} -> 200, $t = .thread_id
sse     post /threads/$t/runs/stream say "long" {"stream_mode": "messages-tuple"} as s -> event metadata, drop
until   get /threads/$t/runs -> 200, .*.status == ["success"]
get     /threads/$t/state -> 200, .values.messages.-1.content == "a b c d e f g h"
sse     post /threads/$t/runs/stream say "mock:stall" {"on_disconnect": "cancel"} as s -> event metadata, drop
until   get /threads/$t/runs -> 200, .*.status == ["interrupted", "success"]
# a wait that is left does the same
post    /threads/$t/runs/wait say "mock:stall" {"on_disconnect": "cancel"} as w
until   get /threads/$t/runs -> 200, .0.status == "running"
drop    w
until   get /threads/$t/runs -> 200, .0.status == "interrupted"
# and a reader that joined with cancel_on_disconnect
post    /threads/$t/runs say "mock:stall" -> 200, $r = .run_id
sse     get /threads/$t/runs/$r/stream?cancel_on_disconnect=true with last-event-id "-1" as j -> drop
until   get /threads/$t/runs/$r -> 200, .status == "interrupted"
get     /threads/$t -> 200, .status == "idle"
