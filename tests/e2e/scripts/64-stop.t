# 64-stop  SIGTERM lets a stream come to its end, then the server ends with 0; the run is done, not redone.
model   for "count" reply "one two three four five six" token-ms 40
server  start --shards 2
post    /threads {} -> 200, $t = .thread_id
sse     post /threads/$t/runs/stream say "count" {"stream_mode": ["messages-tuple"]} as s -> event metadata, $r = .run_id
server  term
log     has "main draining signal=15"
sse     s -> text "one two three four five six", skip to end
server  gone 0
server  start
log     lacks "store recovered"
get     /threads/$t/runs/$r -> 200, .status == "success"
get     /threads/$t/state -> 200, .values.messages.-1.content == "one two three four five six"
