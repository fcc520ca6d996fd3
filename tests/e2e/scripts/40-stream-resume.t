# 40-stream-resume  A dropped stream resumes without losing an event, also after the server was killed.
model   for "count" reply "one two three four five six" token-ms 20
server  start --shards 2
post    /threads {} -> 200, $t = .thread_id
sse     post /threads/$t/runs/stream say "count" {"stream_mode": ["messages-tuple"], "stream_resumable": true} as s
        -> event metadata, id 0, .attempt == 1, $r = .run_id, text "one two", id 3, drop
sse     get /threads/$t/runs/$r/stream with last-event-id "3" as more
        -> text " three four five six", skip to end
sse     get /threads/$t/runs/$r/stream with last-event-id "-1" as whole
        -> event metadata, id 0, text "one two three four five six", drop
server  kill
server  start
sse     get /threads/$t/runs/$r/stream with last-event-id "3" as again
        -> text " three four five six"
same    more again
log     lacks " error "
